// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
)

// The version that this package speaks: all minor versions up to VersionMinor.
const (
	VersionMajor = 0
	VersionMinor = 2
)

// What holds for a party that does not say otherwise.
const (
	DefaultMaxMsgFDs       = 1
	DefaultMaxDataXferSize = 1 << 20
	DefaultMaxDMAMaps      = 65535
	DefaultPageSizes       = 4096
)

// Capabilities are what one party tells the other about itself.
type Capabilities struct {
	// MaxMsgFDs is the number of descriptors it takes with one message.
	MaxMsgFDs uint64
	// MaxDataXferSize is the largest count, in bytes, of one data transfer.
	MaxDataXferSize uint64
	// MaxDMAMaps is the number of DMA mappings that may exist at once.
	MaxDMAMaps uint64
	// PageSizes are the page sizes for DMA mappings, in bytes, or'ed together.
	PageSizes uint64
	// WriteMultiple: REGION_WRITE_MULTI is understood.
	WriteMultiple bool
	// WhileWaiting: the client acts on the server's commands at any moment, also
	// while it waits for a reply to its own. It is this project's addition, which
	// others ignore: many clients do not, and then wait for ever.
	WhileWaiting bool
	// TwinSocket: a second socket for the server's commands is understood
	// (client) or was set up (server).
	TwinSocket bool
	// TwinSocketFD is the index among the VERSION reply's descriptors of that
	// socket; -1 where none was named.
	TwinSocketFD int
}

// DefaultCapabilities are those of a party that tells none.
func DefaultCapabilities() Capabilities {
	return Capabilities{
		MaxMsgFDs:       DefaultMaxMsgFDs,
		MaxDataXferSize: DefaultMaxDataXferSize,
		MaxDMAMaps:      DefaultMaxDMAMaps,
		PageSizes:       DefaultPageSizes,
		TwinSocketFD:    -1,
	}
}

// Version is the payload of a VERSION command and of its reply.
type Version struct {
	Major, Minor uint16
	// Capabilities have the protocol's default where none were sent.
	Capabilities Capabilities
	// NoData: sent without the JSON text (some clients do).
	NoData bool
}

// versionData is the JSON text of a VERSION message.
type versionData struct {
	Capabilities jsonCapabilities `json:"capabilities"`
}

type jsonCapabilities struct {
	MaxMsgFDs       *uint64         `json:"max_msg_fds,omitempty"`
	MaxDataXferSize *uint64         `json:"max_data_xfer_size,omitempty"`
	MaxDMAMaps      *uint64         `json:"max_dma_maps,omitempty"`
	PageSizes       *uint64         `json:"pgsizes,omitempty"`
	WriteMultiple   bool            `json:"write_multiple,omitempty"`
	WhileWaiting    bool            `json:"commands_while_waiting,omitempty"`
	TwinSocket      *jsonTwinSocket `json:"twin_socket,omitempty"`
}

type jsonTwinSocket struct {
	Supported bool `json:"supported"`
	FDIndex   *int `json:"fd_index,omitempty"`
}

// Append appends the encoded payload to b. Capabilities are always written in
// full, since some peers cannot do without.
func (v Version) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, v.Major)
	b = binary.LittleEndian.AppendUint16(b, v.Minor)
	if v.NoData {
		return b
	}
	c := v.Capabilities
	data := versionData{Capabilities: jsonCapabilities{
		MaxMsgFDs:       &c.MaxMsgFDs,
		MaxDataXferSize: &c.MaxDataXferSize,
		MaxDMAMaps:      &c.MaxDMAMaps,
		PageSizes:       &c.PageSizes,
		WriteMultiple:   c.WriteMultiple,
		WhileWaiting:    c.WhileWaiting,
	}}
	if c.TwinSocket {
		data.Capabilities.TwinSocket = &jsonTwinSocket{Supported: true}
		if c.TwinSocketFD >= 0 {
			data.Capabilities.TwinSocket.FDIndex = &c.TwinSocketFD
		}
	}
	text, err := json.Marshal(data)
	if err != nil { // cannot be: numbers and booleans only
		return b
	}
	return append(append(b, text...), 0)
}

// ParseVersion decodes the payload of a VERSION message. Missing capabilities get
// their default and unknown ones are ignored.
func ParseVersion(b []byte) (Version, error) {
	if len(b) < 4 {
		return Version{}, &SizeError{Item: "VERSION payload", Size: uint64(len(b)), Min: 4}
	}
	v := Version{
		Major:        binary.LittleEndian.Uint16(b),
		Minor:        binary.LittleEndian.Uint16(b[2:]),
		Capabilities: DefaultCapabilities(),
	}
	b = b[4:]
	if len(b) == 0 {
		v.NoData = true
		return v, nil
	}
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return v, violation("capabilities in VERSION are not terminated by a NUL byte")
	}
	if end == 0 {
		v.NoData = true
		return v, nil
	}
	var data versionData
	if err := json.Unmarshal(b[:end], &data); err != nil {
		return v, violation("capabilities in VERSION: %v", err)
	}
	c := &v.Capabilities
	for _, value := range []struct {
		to   *uint64
		from *uint64
		name string
		min  uint64
	}{
		{&c.MaxMsgFDs, data.Capabilities.MaxMsgFDs, "max_msg_fds", 0},
		{&c.MaxDataXferSize, data.Capabilities.MaxDataXferSize, "max_data_xfer_size", 1},
		{&c.MaxDMAMaps, data.Capabilities.MaxDMAMaps, "max_dma_maps", 0},
		{&c.PageSizes, data.Capabilities.PageSizes, "pgsizes", 1},
	} {
		if value.from == nil {
			continue
		}
		if *value.from < value.min {
			return v, violation("capability %s in VERSION is %d", value.name, *value.from)
		}
		*value.to = *value.from
	}
	c.WriteMultiple = data.Capabilities.WriteMultiple
	c.WhileWaiting = data.Capabilities.WhileWaiting
	if twin := data.Capabilities.TwinSocket; twin != nil {
		c.TwinSocket = twin.Supported
		if twin.FDIndex != nil {
			if *twin.FDIndex < 0 {
				return v, violation("capability twin_socket in VERSION has the fd_index %d", *twin.FDIndex)
			}
			c.TwinSocketFD = *twin.FDIndex
		}
	}
	return v, nil
}

// Negotiate returns a server's answer to the client's proposal: the lower of both
// minor versions, the server's limits, and of its optional capabilities those that
// the client knows. A major version other than VersionMajor is a *VersionError.
func Negotiate(proposal Version, server Capabilities) (Version, error) {
	if proposal.Major != VersionMajor {
		return Version{}, &VersionError{proposal.Major, proposal.Minor}
	}
	answer := Version{Major: VersionMajor, Minor: min(proposal.Minor, VersionMinor), Capabilities: server}
	answer.Capabilities.WriteMultiple = server.WriteMultiple && proposal.Capabilities.WriteMultiple
	answer.Capabilities.TwinSocket = server.TwinSocket && proposal.Capabilities.TwinSocket
	return answer, nil
}

// Accept checks a server's answer to the proposal that a client made. A version
// that was not proposed is a *VersionError.
func Accept(proposal, answer Version) error {
	if answer.Major != proposal.Major || answer.Minor > proposal.Minor {
		return &VersionError{answer.Major, answer.Minor}
	}
	return nil
}
