// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	var log bytes.Buffer
	s, err := StartServer(t.Context(), []string{"sh", "-c", `trap 'exit 0' TERM; echo note >&2; echo '{"ready":true,"pid":1}'; echo more; while :; do sleep 0.05; done`}, &log)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Ended():
		t.Fatal("it has ended")
	default:
	}
	if err := s.Stop(); err != nil {
		t.Errorf("it ended badly: %v", err)
	}
	if log.String() != "note\n" {
		t.Errorf("log %q", log.String())
	}
}

func TestServerThatIsNotReady(t *testing.T) {
	for name, test := range map[string]struct{ script, says string }{
		"ends":          {"echo one sentence >&2; exit 2", "ended (exit status 2): one sentence"},
		"says nonsense": {"echo hello; exec sleep 100", `it said "hello"`},
		"is not ready":  {`echo '{"ready":false}'; exec sleep 100`, "did not become ready"},
	} {
		if _, err := StartServer(t.Context(), []string{"sh", "-c", test.script}, nil); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want it to say %q", name, err, test.says)
		}
	}
	if _, err := StartServer(t.Context(), []string{"/nonsuch/program"}, nil); err == nil || !strings.Contains(err.Error(), "/nonsuch/program") {
		t.Errorf("a program that is not there: %v", err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	if _, err := StartServer(ctx, []string{"sleep", "100"}, nil); err == nil || err.Error() != "enough" {
		t.Errorf("given up: %v", err)
	}
}

func TestTail(t *testing.T) {
	var words tail
	if words.String() != "" {
		t.Error("empty")
	}
	words.Write([]byte("one\r\ntwo"))
	if got := words.String(); got != "one\ntwo" {
		t.Errorf("%q", got)
	}
	for range 1000 {
		words.Write([]byte("a line of some length\n"))
	}
	got := words.String()
	if len(got) > tailSize || len(got) < tailSize-30 || !strings.HasPrefix(got, "a line") {
		t.Errorf("kept %d bytes that begin with %.10q", len(got), got)
	}
}
