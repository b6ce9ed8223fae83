// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"strings"
	"testing"
)

// version is the payload of a VERSION message with data as it is.
func version(major, minor byte, data string) []byte {
	return append([]byte{major, 0, minor, 0}, data...)
}

func TestParseVersion(t *testing.T) {
	defaults := DefaultCapabilities()
	qemu := defaults
	qemu.MaxMsgFDs, qemu.WriteMultiple = 16, true
	twin := defaults
	twin.TwinSocket, twin.TwinSocketFD = true, 0
	large := defaults
	large.MaxDMAMaps, large.PageSizes, large.MaxDataXferSize = 10, 1<<30, 1<<40
	for _, test := range []struct {
		name string
		data string
		want Version
	}{
		{"no data", "", Version{0, 1, defaults, true}},
		{"empty text", "\x00", Version{0, 1, defaults, true}},
		{"empty object", "{}\x00", Version{0, 1, defaults, false}},
		{"empty capabilities", `{"capabilities":{}}` + "\x00", Version{0, 1, defaults, false}},
		{"QEMU", `{"capabilities":{"migration":{"pgsize":4096,"max_bitmap_size":268435456},"max_msg_fds":16,"max_data_xfer_size":1048576,` +
			`"max_dma_maps":65535,"pgsizes":4096,"write_multiple":true,"invention":[1]},"more":null}` + "\x00", Version{0, 1, qemu, false}},
		{"twin socket", `{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}` + "\x00rest", Version{0, 1, twin, false}},
		{"other sizes", `{"capabilities":{"max_dma_maps":10,"pgsizes":1073741824,"max_data_xfer_size":1099511627776}}` + "\x00", Version{0, 1, large, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseVersion(version(0, 1, test.data))
			if err != nil || got != test.want {
				t.Errorf("%+v, %v, want %+v", got, err, test.want)
			}
		})
	}
	for _, test := range []struct{ name, data, about string }{
		{"no NUL", "{}", "NUL"},
		{"no JSON", "hello\x00", "capabilities in VERSION"},
		{"array", "[]\x00", "capabilities in VERSION"},
		{"negative", `{"capabilities":{"max_msg_fds":-1}}` + "\x00", "capabilities in VERSION"},
		{"fraction", `{"capabilities":{"max_data_xfer_size":0.5}}` + "\x00", "capabilities in VERSION"},
		{"too large", `{"capabilities":{"max_data_xfer_size":1e99}}` + "\x00", "capabilities in VERSION"},
		{"nothing can be transferred", `{"capabilities":{"max_data_xfer_size":0}}` + "\x00", "max_data_xfer_size"},
		{"no page size", `{"capabilities":{"pgsizes":0}}` + "\x00", "pgsizes"},
		{"text for a number", `{"capabilities":{"pgsizes":"4096"}}` + "\x00", "capabilities in VERSION"},
		{"twin socket at -1", `{"capabilities":{"twin_socket":{"supported":true,"fd_index":-1}}}` + "\x00", "fd_index"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseVersion(version(0, 1, test.data))
			if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), test.about) {
				t.Errorf("error %q, want an ErrProtocol with %q", err, test.about)
			}
		})
	}
	if _, err := ParseVersion([]byte{0, 0, 1}); !errors.Is(err, ErrProtocol) {
		t.Errorf("3 bytes: %v", err)
	}
}

func TestVersionRoundTrip(t *testing.T) {
	c := Capabilities{MaxMsgFDs: 8, MaxDataXferSize: 4096, MaxDMAMaps: 7, PageSizes: 8192, WriteMultiple: true, WhileWaiting: true, TwinSocket: true, TwinSocketFD: 1}
	for _, want := range []Version{{0, 2, c, false}, {0, 1, DefaultCapabilities(), false}, {0, 0, DefaultCapabilities(), true}} {
		got, err := ParseVersion(want.Append(nil))
		if err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	const text = `{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"max_dma_maps":65535,"pgsizes":4096}}` + "\x00"
	if got := string(Version{0, 1, DefaultCapabilities(), false}.Append(nil)); got != string(version(0, 1, text)) {
		t.Errorf("encoded %q", got)
	}
}

func TestNegotiate(t *testing.T) {
	server := DefaultCapabilities()
	server.MaxMsgFDs, server.WriteMultiple, server.TwinSocket = 16, true, true
	for minor := uint16(0); minor < 5; minor++ {
		proposal := Version{0, minor, DefaultCapabilities(), true}
		answer, err := Negotiate(proposal, server)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Minor != min(minor, 2) || answer.NoData || answer.Capabilities.MaxMsgFDs != 16 {
			t.Errorf("answer to 0.%d is %+v", minor, answer)
		}
		if answer.Capabilities.WriteMultiple || answer.Capabilities.TwinSocket {
			t.Errorf("capabilities that were not proposed: %+v", answer)
		}
		if err := Accept(proposal, answer); err != nil {
			t.Error(err)
		}
	}
	both := Version{0, 1, server, false}
	if answer, err := Negotiate(both, server); err != nil || !answer.Capabilities.WriteMultiple || !answer.Capabilities.TwinSocket {
		t.Errorf("%+v, %v", answer, err)
	}
	var wrong *VersionError
	if _, err := Negotiate(Version{Major: 1}, server); !errors.As(err, &wrong) || wrong.Major != 1 || !errors.Is(err, ErrProtocol) {
		t.Errorf("major 1: %v", err)
	}
	if err := Accept(Version{Minor: 1}, Version{Minor: 2}); !errors.As(err, &wrong) {
		t.Errorf("minor above what was proposed: %v", err)
	}
	if err := Accept(Version{Minor: 1}, Version{Major: 1}); !errors.As(err, &wrong) {
		t.Errorf("other major: %v", err)
	}
}

func TestErrnoOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Errno
	}{
		{&RemoteError{CommandDMARead, ENODEV}, ENODEV},
		{&RemoteError{CommandDMARead, 0}, EIO},
		{violation("x"), EIO},
		{errors.Join(errors.New("x"), EEXIST), EEXIST},
	} {
		if got := ErrnoOf(test.err); got != test.want {
			t.Errorf("%v is %v, want %v", test.err, got, test.want)
		}
	}
}
