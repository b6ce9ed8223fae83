// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// What the server tells each client about itself. QEMU refuses more descriptors
// per message and larger transfers.
var serverCapabilities = protocol.Capabilities{
	MaxMsgFDs:       protocol.DefaultMaxFDs,
	MaxDataXferSize: protocol.DefaultMaxDataXferSize,
	MaxDMAMaps:      protocol.DefaultMaxDMAMaps,
	PageSizes:       pageSize,
	WriteMultiple:   true,
	TwinSocketFD:    -1,
}

// session is one client from its connection to its end.
type session struct {
	server *Server
	device Device
	counts *counters
	conn   *protocol.Conn
	host   *Host

	// negotiated is closed after the first command was answered well.
	negotiated chan struct{}
	// multi: REGION_WRITE_MULTI was negotiated.
	multi bool
	// takesFDs: the client takes a descriptor with a reply.
	takesFDs bool
	// whileWaiting: the client answers messages also while it waits itself.
	whileWaiting bool
	// maxMessage is the largest data transfer by message in bytes.
	maxMessage int

	description Description
	maps        mapTable
	irqs        irqTable
	warnings    warnings

	// reply and writes are the handler's, used again for each command.
	reply  []byte
	writes []protocol.RegionAccess
}

func newSession(server *Server, c *net.UnixConn) *session {
	s := &session{
		server:     server,
		device:     server.device,
		counts:     &server.counts,
		negotiated: make(chan struct{}),
	}
	s.host = &Host{session: s}
	s.irqs.counts = s.counts
	started := make(chan struct{})
	s.conn = protocol.NewConn(c, protocol.Options{
		MaxFDs:          int(serverCapabilities.MaxMsgFDs),
		MaxDataXferSize: int(serverCapabilities.MaxDataXferSize),
		Handle: func(r *protocol.Request) {
			<-started
			s.handle(r)
		},
	})
	close(started)
	return s
}

// run serves the client until it leaves or the context ends.
func (s *session) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	timer := time.AfterFunc(s.server.options.NegotiationTimeout, func() {
		select {
		case <-s.negotiated:
		default:
			s.server.logf("a client did not say which version of vfio-user it speaks within %v, it is sent away", s.server.options.NegotiationTimeout)
			s.conn.Close()
		}
	})
	defer timer.Stop()
	<-s.conn.Handled()
	s.conn.Close()
	if err := s.conn.Err(); !errors.Is(err, io.EOF) && !errors.Is(err, protocol.ErrClosed) {
		s.server.logf("the client is sent away: %v", err)
	}
	s.cleanUp()
}

// cleanUp takes everything of the client from the device.
func (s *session) cleanUp() {
	select {
	case <-s.negotiated:
	default:
		return
	}
	s.irqs.close(s.device.SetVector)
	for _, m := range s.maps.removeAll() {
		if err := s.withdraw(m); err != nil {
			s.server.logf("unmap %#x bytes at IOVA %#x: %v", m.Size, m.IOVA, err)
		}
	}
	s.device.Disconnect()
	if s.server.options.ResetOnDisconnect {
		if err := s.device.Reset(); err != nil {
			s.server.logf("reset the device after its client has left: %v", err)
		}
	}
}

// handle carries out one command and answers it.
func (s *session) handle(r *protocol.Request) {
	if err := s.dispatch(r); err != nil {
		s.refuse(r, err)
	}
}

// refuse answers a command with an error.
func (s *session) refuse(r *protocol.Request, err error) {
	if r.Header.Posted() {
		s.counts.postedErrors.Add(1)
		if s.warnings.postedError.first() {
			s.server.logf("a command of which the client does not want to hear again failed (later ones are only counted): %v", err)
		}
		return
	}
	errno := protocol.ErrnoOf(err)
	if errors.Is(err, protocol.ErrProtocol) {
		errno = protocol.EINVAL
	}
	_ = r.ReplyError(errno)
}

// refusal is an error with the number to tell the client.
func refusal(errno protocol.Errno, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errno)
}

func (s *session) dispatch(r *protocol.Request) error {
	select {
	case <-s.negotiated:
	default:
		return s.version(r)
	}
	switch r.Header.Command {
	case protocol.CommandRegionRead:
		return s.regionRead(r)
	case protocol.CommandRegionWrite:
		return s.regionWrite(r)
	case protocol.CommandWriteMulti:
		return s.writeMulti(r)
	case protocol.CommandDMAMap:
		return s.dmaMap(r)
	case protocol.CommandDMAUnmap:
		return s.dmaUnmap(r)
	case protocol.CommandDeviceInfo:
		return s.deviceInfo(r)
	case protocol.CommandRegionInfo:
		return s.regionInfo(r)
	case protocol.CommandIRQInfo:
		return s.irqInfo(r)
	case protocol.CommandSetIRQs:
		return s.setIRQs(r)
	case protocol.CommandDeviceReset:
		return s.reset(r)
	case protocol.CommandDeviceFeature:
		// What Linux says of a feature that a device does not have.
		return refusal(protocol.ENOTTY, "the device has no features")
	case protocol.CommandMigrationRead, protocol.CommandMigrationWrite:
		return refusal(protocol.EOPNOTSUPP, "the device cannot migrate")
	case protocol.CommandRegionIOFDs:
		return s.regionIOFDs(r)
	default:
		return refusal(protocol.EINVAL, "%v is not known", r.Header.Command)
	}
}

// version handles the first command, which must be VERSION. Whatever is wrong with
// it ends the connection, since nothing can follow.
func (s *session) version(r *protocol.Request) error {
	answer, err := s.negotiate(r)
	if err != nil {
		s.server.logf("a client is sent away: %v", err)
		s.refuse(r, err)
		s.conn.Close()
		return nil
	}
	close(s.negotiated)
	s.counts.clients.Add(1)
	return r.Reply(answer.Append(s.reply[:0]), nil)
}

func (s *session) negotiate(r *protocol.Request) (protocol.Version, error) {
	if r.Header.Command != protocol.CommandVersion {
		return protocol.Version{}, refusal(protocol.EINVAL, "its first command is %v instead of VERSION", r.Header.Command)
	}
	if len(r.FDs) > 0 {
		return protocol.Version{}, refusal(protocol.EINVAL, "it sent %d descriptors with VERSION", len(r.FDs))
	}
	proposal, err := protocol.ParseVersion(r.Payload)
	if err != nil {
		return proposal, err
	}
	answer, err := protocol.Negotiate(proposal, serverCapabilities)
	if err != nil {
		return answer, err
	}
	s.multi = answer.Capabilities.WriteMultiple
	s.whileWaiting = proposal.Capabilities.WhileWaiting
	s.takesFDs = proposal.Capabilities.MaxMsgFDs > 0
	s.maxMessage = int(min(proposal.Capabilities.MaxDataXferSize, serverCapabilities.MaxDataXferSize))
	s.description = s.device.Describe()
	if err := checkDescription(s.description); err != nil {
		return answer, err
	}
	s.irqs.init(s.description.IRQs)
	if err := s.device.Connect(s.host); err != nil {
		return answer, fmt.Errorf("the device refuses it: %w", err)
	}
	return answer, nil
}
