// SPDX-License-Identifier: Apache-2.0

// Command kernelpeer lets `espalier gateway` talk to somebody else's IPsec. It
// makes two network namespaces. In A is the gateway, with a TAP device on its
// plain side and a NIC that does its ESP. In B, at the other end of the NIC's
// wire, is the kernel's own IPsec (or, with --peer gateway, a second gateway).
// For each kind of SA it sends pings of all sizes, TCP and UDP both ways, and
// then compares what both sides have counted.
//
// It needs root, and with --peer kernel a kernel with esp4, esp6 and AES-GCM;
// `espalier vm --wire guest --modules ipsec` has all that. Exit codes: 0 all is
// well, 1 something was wrong, 2 it could not be tried.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	espalier string
	device   string
	extra    string
	peer     string
	link     string
	cases    *regexp.Regexp
	sizes    int
	bytes    int
	wait     time.Duration
	folder   string
}

func main() {
	var o options
	cases := flag.String("cases", ".", "regular expression: which kinds of SA, as in tunnel/IPv4/128/esn")
	flag.StringVar(&o.espalier, "espalier", "espalier", "the program that is the gateway")
	flag.StringVar(&o.device, "device", os.Getenv("ESPALIER_DEVICE"), "the gateway's NIC, as espalier takes it; gonic and sim get a wire to B")
	flag.StringVar(&o.extra, "gateway-flags", "", "more flags for the gateway")
	flag.StringVar(&o.peer, "peer", "kernel", "who does the IPsec in B: kernel, gateway")
	flag.StringVar(&o.link, "link", "eth0", "interface at the other end of a card's wire, which is moved to B")
	flag.IntVar(&o.sizes, "ping-step", 1, "ping with every so manieth size")
	flag.IntVar(&o.bytes, "bytes", 1<<20, "bytes of each TCP transfer")
	flag.DurationVar(&o.wait, "wait", 20*time.Second, "how long anything may take that should happen soon")
	flag.Parse()
	var err error
	if o.cases, err = regexp.Compile(*cases); err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("argument %q is not understood; there are flags only", flag.Arg(0))
	}
	if err == nil && o.peer != peerKernel && o.peer != peerGateway {
		err = fmt.Errorf("--peer is %q; allowed are %s and %s", o.peer, peerKernel, peerGateway)
	}
	if err == nil {
		err = run(o)
	}
	var wrong *wrongError
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "kernelpeer: %v\n", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintf(os.Stderr, "kernelpeer: %v\n", err)
		os.Exit(2)
	}
}

// wrongError: it was tried, and something was wrong.
type wrongError struct{ failed, total int }

func (e *wrongError) Error() string {
	return fmt.Sprintf("%d of %d kinds of SA failed", e.failed, e.total)
}

func run(o options) (err error) {
	if o.folder, err = os.MkdirTemp("", "kernelpeer"); err != nil {
		return err
	}
	defer os.RemoveAll(o.folder)
	lab, err := newLab(o)
	if err != nil {
		return err
	}
	defer lab.close()
	total, failed := 0, 0
	for _, k := range kinds() {
		if !o.cases.MatchString(k.String()) {
			continue
		}
		total++
		start := time.Now()
		summary, err := lab.try(k)
		if err != nil {
			failed++
			fmt.Printf("FAIL %v: %s\n", k, strings.Join(strings.Fields(err.Error()), " "))
			continue
		}
		fmt.Printf("ok %v: %s, %.1f s\n", k, summary, time.Since(start).Seconds())
	}
	if total == 0 {
		return fmt.Errorf("--cases matches none of the kinds of SA; they are like %v", kinds()[0])
	}
	if failed > 0 {
		return &wrongError{failed, total}
	}
	fmt.Printf("all %d kinds of SA are well\n", total)
	return nil
}
