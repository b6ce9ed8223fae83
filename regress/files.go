// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// writeWhole writes a file so that it is there whole or not at all: into a
// temporary file beside it, which takes its name at the end.
func writeWhole(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = notWritten(path, err)
		}
	}()
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	if err := file.Chmod(mode); err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 1<<16)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// WriteFile writes a file through write, whole or not at all.
func WriteFile(path string, write func(io.Writer) error) error { return writeWhole(path, 0o644, write) }

// WriteJSON writes v as JSON to path, whole or not at all.
func WriteJSON(path string, v any) error {
	return WriteFile(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	})
}

// plainCause says what a user can do something about.
func plainCause(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return errors.New("the disk is full; `df -h` shows where there is room, --out chooses another folder")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("no permission to write there; --out chooses another folder")
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// WriteESPSA writes the keys of the SAs as a Wireshark esp_sa file, readable by
// its owner only: copied into Wireshark's profile folder it decrypts wire.pcapng.
func WriteESPSA(path string, sas []SA) error {
	return writeWhole(path, 0o600, func(w io.Writer) error {
		for _, sa := range sas {
			family := "IPv4"
			if sa.Dst.Is6() {
				family = "IPv6"
			}
			_, err := fmt.Fprintf(w, "%q,%q,%q,%q,%q,%q,%q,%q\n", family, sa.Src, sa.Dst, fmt.Sprintf("0x%08x", sa.SPI),
				"AES-GCM with 16 octet ICV [RFC4106]", "0x"+hex.EncodeToString(sa.Key)+hex.EncodeToString(sa.Salt[:]), "NULL", "")
			if err != nil {
				return err
			}
		}
		return nil
	})
}
