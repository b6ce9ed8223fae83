// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package debian

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestPrepareOnceForAll(t *testing.T) {
	o := Options{Cache: filepath.Join(t.TempDir(), "deeper", "cache")}
	var made atomic.Int32
	fill := func(_ context.Context, dir string) error {
		made.Add(1)
		return os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			dir, err := o.prepare(t.Context(), "thing-1", fill)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times, want once", n)
	}
}

func TestPrepareInterrupted(t *testing.T) {
	cache := t.TempDir()
	o := Options{Cache: cache}
	broken := errors.New("the network went away")
	if _, err := o.prepare(t.Context(), "thing-1", func(_ context.Context, dir string) error {
		os.WriteFile(filepath.Join(dir, "half"), nil, 0o644)
		return broken
	}); !errors.Is(err, broken) {
		t.Fatalf("error %v, want %v", err, broken)
	}
	// What a process that was killed leaves behind.
	left := filepath.Join(cache, temporaryPrefix+"left", "root")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := o.prepare(t.Context(), "thing-1", func(context.Context, string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("what the interrupted preparation made is in the finished one: %v", entries)
	}
	entries, _ := os.ReadDir(cache)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got := strings.Join(names, " "); got != "lock thing-1" {
		t.Errorf("the cache holds %s; want lock thing-1", got)
	}
}

func TestPrepareWaitsAndGivesUp(t *testing.T) {
	o := Options{Cache: t.TempDir()}
	told := make(chan string, 8)
	o.Log = func(line string) { told <- line }
	started, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := o.prepare(t.Context(), "thing-1", func(context.Context, string) error {
			close(started)
			<-release
			return nil
		})
		done <- err
	}()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := o.prepare(ctx, "thing-2", func(context.Context, string) error { return nil })
		done <- err
	}()
	if line := <-told; !strings.Contains(line, "waiting for another process") {
		t.Errorf("said %q", line)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCheckVersion(t *testing.T) {
	for output, want := range map[string]string{
		"QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)\nCopyright": "11.1.3",
		"QEMU emulator version 10.1.0":                                           "10.1.0",
		"QEMU emulator version 10.0.13 (Debian)":                                 "",
		"QEMU emulator version 7.2.0":                                            "",
		"bash: no such file":                                                     "",
	} {
		got, err := checkVersion(output)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: version %q, error %v; want version %q", output, got, err, want)
		}
		if err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%q: error %v is not ErrUnavailable", output, err)
		}
	}
}

// TestNoMirror runs the machine's own apt against a mirror that is not there.
func TestNoMirror(t *testing.T) {
	o := Options{Cache: t.TempDir(), Mirror: "http://127.0.0.1:9/debian"}
	_, err := PrepareKernel(t.Context(), o)
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("error %v, want ErrUnavailable", err)
	}
	text := err.Error()
	if strings.Contains(text, "\n") || !strings.Contains(text, "http://127.0.0.1:9/debian") || !strings.Contains(text, MirrorVariable) {
		t.Errorf("error is not one sentence that names the mirror and %s: %q", MirrorVariable, text)
	}
	t.Log(text)
	entries, _ := os.ReadDir(o.Cache)
	if len(entries) != 1 {
		t.Errorf("left in the cache: %v", entries)
	}
}
