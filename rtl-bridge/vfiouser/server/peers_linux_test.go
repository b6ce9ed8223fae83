// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPeers replays conversations with the clients that exist, byte by byte, from
// testdata/peers. A line begins with what it is:
//
//	>  bytes that the client sends, in hexadecimal or as quoted text, with the
//	   descriptors that ride on the first (@ram is 16 MiB of shared memory, any
//	   other name an eventfd)
//	<  bytes that the server answers; @fd if a descriptor comes with them
//	=  what the device is told, in this order
//	$  what the test does: trigger INDEX VECTOR [unbound], counter EVENTFD VALUE,
//	   hang up
//	!  the server hangs up
//	#  a comment
//
// Other lines continue the one before.
func TestPeers(t *testing.T) {
	files, err := filepath.Glob("testdata/peers/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations in testdata/peers: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before := openDescriptors(t)
			c := newCard(t)
			_, client, stop := serveOn(t, c, Options{})
			p := &play{t: t, card: c, client: client, stop: stop, files: map[string]int{"ram": int(memfd(t, 16<<20).Fd())}}
			own := 1 + 1 // the card's region and the client's memory
			for i, line := range playLines(string(text)) {
				p.step(fmt.Sprintf("%s, step %d", file, i+1), line)
			}
			if got := c.told(); !slices.Equal(got, p.want) {
				t.Errorf("the device was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(p.want, "\n"))
			}
			stop()
			if after := openDescriptors(t); after != before+own+len(p.files)-1 {
				t.Errorf("%d descriptors are open at the end, want %d", after, before+own+len(p.files)-1)
			}
		})
	}
}

// playLines joins continued lines and leaves out comments.
func playLines(text string) []string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] == ' ' && len(lines) > 0:
			lines[len(lines)-1] += line
		default:
			lines = append(lines, line)
		}
	}
	return lines
}

// play is one conversation.
type play struct {
	t      *testing.T
	card   *card
	client rawClient
	stop   func()
	files  map[string]int
	want   []string
}

func (p *play) step(where, line string) {
	t := p.t
	t.Helper()
	rest := strings.TrimSpace(line[1:])
	switch line[0] {
	case '>':
		b, names := p.bytes(where, rest)
		var fds []int
		for _, name := range names {
			fds = append(fds, p.file(name))
		}
		p.client.write(b, fds...)
	case '<':
		want, names := p.bytes(where, rest)
		got, fds, err := p.client.read()
		for _, fd := range fds {
			unix.Close(fd)
		}
		if err != nil || !bytes.Equal(got, want) || len(fds) != len(names) {
			t.Fatalf("%s: the answer is\n%x with %d descriptors, %v, want\n%x with %d\nthe device was told %q",
				where, got, len(fds), err, want, len(names), p.card.told())
		}
	case '=':
		p.want = append(p.want, rest)
	case '$':
		p.do(where, strings.Fields(rest))
	case '!':
		if b, _, err := p.client.read(); !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %x, %v instead of the end", where, b, err)
		}
	default:
		t.Fatalf("%s: %q", where, line)
	}
}

func (p *play) do(where string, words []string) {
	t := p.t
	t.Helper()
	number := func(i int) int {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		return n
	}
	switch words[0] {
	case "trigger":
		err := p.card.client().Trigger(number(1), number(2))
		if unbound := len(words) > 3; unbound != errors.Is(err, ErrUnbound) || !unbound && err != nil {
			t.Errorf("%s: %v", where, err)
		}
	case "counter":
		if got := counter(t, p.file(words[1])); got != uint64(number(2)) {
			t.Errorf("%s: the counter is %d", where, got)
		}
	case "hang":
		p.stop()
	default:
		t.Fatalf("%s: %q", where, words)
	}
}

// file returns the descriptor with a name.
func (p *play) file(name string) int {
	fd, ok := p.files[name]
	if !ok {
		fd = eventfd(p.t)
		p.files[name] = fd
	}
	return fd
}

// bytes decodes a message of a conversation.
func (p *play) bytes(where, text string) (b []byte, names []string) {
	for text != "" {
		switch text[0] {
		case ' ':
			text = text[1:]
			continue
		case '"':
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				p.t.Fatalf("%s: %v", where, err)
			}
			plain, err := strconv.Unquote(quoted)
			if err != nil {
				p.t.Fatalf("%s: %v", where, err)
			}
			b, text = append(b, plain...), text[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		text = rest
		if name, ok := strings.CutPrefix(word, "@"); ok {
			names = append(names, name)
			continue
		}
		part, err := hex.DecodeString(word)
		if err != nil {
			p.t.Fatalf("%s: %v", where, err)
		}
		b = append(b, part...)
	}
	return b, names
}
