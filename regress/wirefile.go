// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"fmt"
	"os"
	"path/filepath"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// WireFile is a pcapng file of the wire that takes its name only when it is
// whole: until Commit it is a temporary file beside it.
type WireFile struct {
	path     string
	file     *os.File
	recorder *rtlbridge.Recorder
	id       int
}

// CreateWireFile begins the file. mhz is the clock by which cycles become time.
func CreateWireFile(path string, mhz int) (*WireFile, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, notWritten(path, err)
	}
	w := &WireFile{path: path, file: file}
	if w.recorder, err = rtlbridge.NewRecorder(file, uint64(mhz)); err == nil {
		w.id, err = w.recorder.AddInterface("wire")
	}
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err != nil {
		w.Abandon()
		return nil, notWritten(path, err)
	}
	return w, nil
}

// Write adds a frame.
func (w *WireFile) Write(f WireFrame) error {
	err := w.recorder.Record(w.id, &rtlbridge.WireFrame{Data: f.Frame, FromNIC: true, FirstCycle: f.First, LastCycle: f.Last})
	if err != nil {
		return notWritten(w.path, err)
	}
	return nil
}

// Commit completes the file and gives it its name.
func (w *WireFile) Commit() error {
	err := w.recorder.Close()
	if err == nil {
		err = w.file.Close()
	}
	if err == nil {
		err = os.Rename(w.file.Name(), w.path)
	}
	if err != nil {
		w.Abandon()
		return notWritten(w.path, err)
	}
	w.file = nil
	return nil
}

// Abandon removes what was written, unless it was committed.
func (w *WireFile) Abandon() {
	if w.file != nil {
		w.file.Close()
		os.Remove(w.file.Name())
		w.file = nil
	}
}

func notWritten(path string, err error) error {
	return fmt.Errorf("%s was not written: %w", path, plainCause(err))
}
