// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regs"
)

const (
	captures = "../../tests/captures"
	dns      = captures + "/dns.pcap"
)

// espalier runs the command as a user would, in folder, and returns what it printed.
func espalier(t *testing.T, folder string, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	for i, arg := range args {
		if strings.HasPrefix(arg, captures) {
			args[i], _ = filepath.Abs(arg)
		}
	}
	t.Chdir(folder)
	root := newRootCommand()
	var out, errOut bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(args)
	err = root.ExecuteContext(context.Background())
	return out.String(), errOut.String(), err
}

// write writes a file and returns its path.
func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// saYAML is a configuration with one good SA and the lines of changes after it.
func saYAML(changes map[string]string) string {
	fields := map[string]string{
		"spi": "0x1001", "mode": "tunnel", "src": "198.51.100.1", "dst": "198.51.100.2",
		"algorithm": "aes-gcm-128", "key": "000102030405060708090a0b0c0d0e0f", "salt": "deadbeef",
	}
	for key, value := range changes {
		fields[key] = value
	}
	text := "sas:\n"
	prefix := "  - "
	for _, key := range []string{"spi", "mode", "src", "dst", "algorithm", "key", "salt", "esn", "sequence"} {
		if value, ok := fields[key]; ok {
			text += prefix + key + ": \"" + value + "\"\n"
			prefix = "    "
		}
	}
	return text
}

func TestRunOnTheGoNIC(t *testing.T) {
	folder := t.TempDir()
	out, _, err := espalier(t, folder, "", "run", "--device", "gonic", "--out", "o", "--esp-sa", "o/esp_sa", dns)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "all as the golden model says") || !strings.Contains(out, "wrote o/wire.pcapng") {
		t.Errorf("output:\n%s", out)
	}
	var result map[string]any
	raw, err := os.ReadFile("o/result.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		t.Fatal(err)
	}
	if result["complete"] != true || result["mismatches"] != 0.0 || result["packets"] != 129.0 || result["decrypted"] != result["protected"] {
		t.Errorf("result: %s", raw)
	}
	info, err := os.Stat("o/esp_sa")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("esp_sa has mode %v (%v), wanted is 0600", info.Mode(), err)
	}
	if _, _, err := espalier(t, folder, "", "run", "--device", "gonic", "--out", "o", dns); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("results were overwritten without --force: %v", err)
	}
}

// TestRunInLoopback: one NIC is judged whole, and the result says what was not seen.
func TestRunInLoopback(t *testing.T) {
	out, _, err := espalier(t, t.TempDir(), "", "run", "--device", "gonic", "--loopback", "--out", "o", dns)
	if err != nil || !strings.Contains(out, "all as the golden model says") || !strings.Contains(out, "not seen: the MAC and the cable") || !strings.Contains(out, "wrote o/wire.pcapng") {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile("o/result.json")
	if err != nil {
		t.Fatal(err)
	}
	var result regress.Result
	if err := json.Unmarshal(raw, &result); err != nil {
		t.Fatal(err)
	}
	if !result.Complete || !result.WireSeen || len(result.NotSeen) != 1 || result.OnWire != 129 || result.Delivered != 129 || result.Decrypted != result.Protected {
		t.Errorf("result: %s", raw)
	}
}

// TestUnseenWire: figures that nobody has seen are no zeros.
func TestUnseenWire(t *testing.T) {
	var out bytes.Buffer
	printResult(&out, &regress.Result{Device: "0000:03:00.0 to 0000:04:00.0", NotSeen: []string{"frames on the wire"}}, nil)
	if text := out.String(); strings.Count(text, "not seen") != 3 || !strings.Contains(text, "0000:03:00.0 to 0000:04:00.0") {
		t.Errorf("table:\n%s", text)
	}
}

func TestRunWithSAsOfTheConfiguration(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "c.yaml", "device: gonic\nout: results\n"+saYAML(nil))
	out, _, err := espalier(t, folder, "", "run", "--config", config, dns)
	if err != nil || !strings.Contains(out, "wrote results/wire.pcapng") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat("results/esp_sa"); err == nil {
		t.Error("keys were written without being asked for")
	}
}

func TestSettingsStrength(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "espalier.yaml", "device: nonsense-of-the-file\n")
	if _, _, err := espalier(t, folder, "", "caps"); err == nil || !strings.Contains(err.Error(), "nonsense-of-the-file") {
		t.Errorf("the file is not read: %v", err)
	}
	t.Setenv("ESPALIER_DEVICE", "nonsense-of-the-environment")
	if _, _, err := espalier(t, folder, "", "caps"); err == nil || !strings.Contains(err.Error(), "nonsense-of-the-environment") {
		t.Errorf("the environment is weaker than the file: %v", err)
	}
	if _, _, err := espalier(t, folder, "", "caps", "--device", "gonic"); err != nil {
		t.Errorf("a flag is weaker than the environment: %v", err)
	}
}

// TestBadInput: each ends in one sentence that names the item, the value and
// what is allowed; nothing is left behind that looks like a result; no key is printed.
func TestBadInput(t *testing.T) {
	good, err := os.ReadFile(dns)
	if err != nil {
		t.Fatal(err)
	}
	image := fwImage(t, 1)
	folder := t.TempDir()
	file := func(name, text string) string { return write(t, folder, name, text) }
	config := func(name, text string) []string {
		return []string{"run", "--device", "gonic", "--config", file(name, text), dns}
	}
	const key = "000102030405060708090a0b0c0d0e0f"
	two := saYAML(nil) + strings.TrimPrefix(saYAML(nil), "sas:\n")
	for name, c := range map[string]struct {
		args  []string
		stdin string
		want  []string
	}{
		"no capture":            {[]string{"run", "--device", "gonic"}, "", []string{"no capture"}},
		"missing capture":       {[]string{"run", "--device", "gonic", "nowhere.pcap"}, "", []string{"nowhere.pcap", "cannot be read"}},
		"foreign capture":       {[]string{"run", "--device", "gonic", file("foreign.pcap", "PK\x03\x04 a zip file")}, "", []string{"foreign.pcap", "neither pcap nor pcapng"}},
		"truncated capture":     {[]string{"run", "--device", "gonic", file("cut.pcap", string(good[:len(good)-3]))}, "", []string{"cut.pcap", "packet 128", "editcap"}},
		"unknown device":        {[]string{"caps", "--device", "gonik"}, "", []string{`"gonik"`, `"gonic"`, "sim:LIBRARY.so"}},
		"missing library":       {[]string{"caps", "--device", "sim:nowhere.so"}, "", []string{"nowhere.so", "does not exist"}},
		"library that is text":  {[]string{"caps", "--device", "sim:" + file("text.so", "not a library")}, "", []string{"text.so", "not a shared library"}},
		"library of someone":    {[]string{"caps", "--device", "sim:/lib/x86_64-linux-gnu/libm.so.6"}, "", []string{"libm.so.6", "not an Espalier simulator"}},
		"wave on the Go NIC":    {[]string{"run", "--device", "gonic", "--wave", "x.fst", dns}, "", []string{"waveforms", "gonic"}},
		"unknown mode":          {[]string{"run", "--device", "gonic", "--mode", "tunel", dns}, "", []string{`"tunel"`, "transport, tunnel"}},
		"unknown flag":          {[]string{"run", "--sed", "7", dns}, "", []string{"--sed", "--help"}},
		"too many queues":       {[]string{"run", "--device", "gonic", "--queues", "99", dns}, "", []string{"99", "1 to 4"}},
		"unknown register":      {[]string{"regs", "peek", "--device", "gonic", "ctrll"}, "", []string{`"ctrll"`, `"ctrl"`, "regs list"}},
		"register out of range": {[]string{"regs", "peek", "--device", "gonic", "txq[16].tail"}, "", []string{"txq[16].tail", "15"}},
		"poke of a read-only":   {[]string{"regs", "poke", "--device", "gonic", "id", "1"}, "", []string{"id is read-only"}},
		"poke too large":        {[]string{"regs", "poke", "--device", "gonic", "ctrl.loopback", "2"}, "", []string{"ctrl.loopback", `"2"`, "0x1"}},
		"unknown key":           {config("k.yaml", "devise: gonic\n"), "", []string{"k.yaml", `"devise"`, `"device"`}},
		"unknown SA key":        {config("s.yaml", saYAML(nil)+"    slat: 00\n"), "", []string{"s.yaml", `"slat"`, `"salt"`}},
		"not YAML":              {config("n.yaml", "a: [\n"), "", []string{"n.yaml"}},
		"missing configuration": {[]string{"caps", "--config", "nowhere.yaml"}, "", []string{"nowhere.yaml", "cannot be read"}},
		"key length":            {config("l.yaml", saYAML(map[string]string{"key": key + "00"})), "", []string{"SA 1", "17 bytes", "16 bytes"}},
		"key not hexadecimal":   {config("h.yaml", saYAML(map[string]string{"key": "secret" + key[6:]})), "", []string{"SA 1", "hexadecimal"}},
		"salt length":           {config("t.yaml", saYAML(map[string]string{"salt": "deadbeef00"})), "", []string{"SA 1", "salt", "8 hexadecimal digits"}},
		"unknown algorithm":     {config("a.yaml", saYAML(map[string]string{"algorithm": "aes-cbc-128"})), "", []string{`"aes-cbc-128"`, "aes-gcm-256"}},
		"duplicate SPI":         {config("d.yaml", two), "", []string{"SA 2", "0x00001001", "once"}},
		"SPI 0":                 {config("z.yaml", saYAML(map[string]string{"spi": "0"})), "", []string{"SPI 0", "1 to 0xffffffff"}},
		"two IP versions":       {config("v.yaml", saYAML(map[string]string{"src": "2001:db8::1"})), "", []string{"one IP version"}},
		"sequence too large":    {config("q.yaml", saYAML(map[string]string{"sequence": "0x100000000"})), "", []string{"sequence", "32 bits"}},
		"no key on input":       {[]string{"sa", "add", "--device", "gonic", "--spi", "1", "--src", "::1", "--dst", "::2"}, "", []string{"no key on standard input", "openssl rand"}},
		"bad handle":            {[]string{"sa", "del", "--device", "gonic", "first"}, "", []string{`"first"`, "sa list"}},
		"unknown kind of gonic": {[]string{"caps", "--device", "gonic:cp"}, "", []string{`"gonic:cp"`, "gonic:mailbox"}},
		"no processor":          {[]string{"fw", "info", "--device", "gonic:window"}, "", []string{"control processor", "not supported"}},
		"no image named":        {[]string{"fw", "load", "--device", "gonic:mailbox"}, "", []string{"0 files", "espalier_fw.bin"}},
		"image is missing":      {[]string{"fw", "load", "--device", "gonic:mailbox", "nowhere.bin"}, "", []string{"nowhere.bin", "no such file"}},
		"image is text":         {[]string{"fw", "load", "--device", "gonic:mailbox", file("text.bin", strings.Repeat("text ", 40))}, "", []string{"text.bin", "no firmware of an Espalier NIC"}},
		"image is cut":          {[]string{"fw", "load", "--device", "gonic:mailbox", file("cut.bin", string(image[:64]))}, "", []string{"cut.bin", "truncated"}},
		"image is damaged":      {[]string{"fw", "load", "--device", "gonic:mailbox", file("bad.bin", strings.Replace(string(image), "abc", "abd", 1))}, "", []string{"bad.bin", "damaged"}},
		"firmware is text":      {[]string{"run", "--device", "gonic:mailbox", "--firmware", file("four.bin", "text"), dns}, "", []string{"four.bin", "truncated"}},
		"firmware of the file":  {config("f.yaml", "firmware: nowhere.bin\n"), "", []string{"nowhere.bin", "no such file"}},
		"load without one":      {[]string{"fw", "load", "--device", "gonic:window", file("good.bin", string(image))}, "", []string{"control processor", "not supported"}},
		"two simulations":       {[]string{"run", "--device", "gonic,sim", dns}, "", []string{"gonic", "no wire", "cable"}},
		"two where one works":   {[]string{"caps", "--device", "03:00.0,04:00.0"}, "", []string{`"03:00.0,04:00.0"`, "works on one"}},
		"no such card":          {[]string{"caps", "--device", "ffff:ff:1f.7"}, "", []string{"ffff:ff:1f.7"}},
		"not a PCI ID":          {[]string{"caps", "--device", "gonic", "--pci-id", "4550"}, "", []string{"--pci-id", `"4550"`, "1234:4550"}},
		"PCI ID of the file":    {config("i.yaml", "device: gonic\npci-id: [1234:4550, x]\n"), "", []string{"--pci-id", `"x"`}},
		"no socket is named":    {[]string{"caps", "--device", "vfio-user:"}, "", []string{"names no socket", "espalier serve"}},
		"conformance of a card": {[]string{"conformance", "--device", "03:00.0"}, "", []string{"0000:03:00.0", "wire outside"}},
		"wave of a card":        {[]string{"run", "--device", "03:00.0", "--wave", "x.fst", dns}, "", []string{"waveforms", "0000:03:00.0"}},
		"tap without a cable":   {[]string{"run", "--device", "gonic", "--wire-tap", "eth0", dns}, "", []string{"--wire-tap", `"eth0"`, "two cards"}},
		"stale handle":          {[]string{"sa", "del", "--device", "gonic", "0x10005"}, "", []string{"5/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			here := t.TempDir()
			stdout, _, err := espalier(t, here, c.stdin, c.args...)
			if err == nil {
				t.Fatalf("accepted:\n%s", stdout)
			}
			message := err.Error()
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("message %q lacks %q", message, want)
				}
			}
			if strings.Contains(message, "\n") {
				t.Errorf("message has several lines: %q", message)
			}
			for _, secret := range []string{key[:12], "deadbeef", "secret"} {
				if strings.Contains(message+stdout, secret) {
					t.Errorf("key material is printed: %q", message)
				}
			}
			left, _ := filepath.Glob(filepath.Join(here, "out", "run", "*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// fwImage is an image without a program.
func fwImage(t *testing.T, build uint32) []byte {
	t.Helper()
	program := make([]byte, 100)
	for i, v := range []uint32{0x6F, firmware.Magic, 0, regs.VersionMajor<<24 | 5<<16 | 7, build, 4096} {
		binary.LittleEndian.PutUint32(program[4*i:], v)
	}
	copy(program[80:], "abc")
	image, err := firmware.Seal(program)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestFirmwareCommands(t *testing.T) {
	capture, err := filepath.Abs(dns)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	mine := write(t, folder, "mine.bin", string(fwImage(t, 0xC0FFEE)))
	version := fmt.Sprintf("%d.5.7", regs.VersionMajor)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"fw", "info"}, []string{"ready", "passed", "build"}},
		{[]string{"fw", "info", "--firmware", mine}, []string{"ready", "passed"}},
		{[]string{"fw", "info", "--json"}, []string{`"state": "ready"`, `"selftest_passed": true`}},
		{[]string{"fw", "log"}, []string{"self-tests passed", "ready"}},
		{[]string{"fw", "log", "--json"}, []string{`"self-tests passed",`}},
		{[]string{"fw", "load", mine}, []string{version + " build 00c0ffee", "ready"}},
		{[]string{"fw", "load", "--json", mine}, []string{`"version": "` + version + `"`, `"build": "00c0ffee"`, `"image_ok": true`}},
		{[]string{"caps"}, []string{"firmware on the control processor"}},
	} {
		out, _, err := espalier(t, folder, "", append(c.args, "--device", "gonic:mailbox")...)
		if err != nil {
			t.Errorf("%v: %v", c.args, err)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v lacks %q:\n%s", c.args, want, out)
			}
		}
		if slices.Contains(c.args, "--json") && !json.Valid([]byte(out)) {
			t.Errorf("%v: not JSON:\n%s", c.args, out)
		}
	}
	for _, args := range [][]string{{"fw", "load", ""}, {"caps", "--firmware", ""}} {
		out, _, err := espalier(t, folder, "", append([]string{"__complete"}, args...)...)
		if err != nil || !strings.HasPrefix(out, "bin\n:8\n") { // files that end in .bin
			t.Errorf("completion of %v: %v\n%s", args, err, out)
		}
	}
	out, _, err := espalier(t, folder, "", "caps", "--device", "gonic:window")
	if err != nil || !strings.Contains(out, "through the SA window") || strings.Contains(out, "firmware on") {
		t.Errorf("caps without a processor: %v\n%s", err, out)
	}
	out, _, err = espalier(t, folder, "", "run", "--device", "gonic:mailbox", "--firmware", mine, "--out", "o", capture)
	if err != nil || !strings.Contains(out, "all as the golden model says") {
		t.Errorf("run: %v\n%s", err, out)
	}
}

// TestSAList: what is listed is what the NIC holds, by either way to it, and the
// same each time.
func TestSAList(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "c.yaml", saYAML(map[string]string{"esn": "true", "sequence": "0x500000000", "key": strings.Repeat("a5", 32), "algorithm": "aes-gcm-256"}))
	first := ""
	for _, device := range []string{"gonic:window", "gonic:mailbox", "gonic:mailbox"} {
		out, _, err := espalier(t, folder, "", "sa", "list", "--json", "--device", device, "--config", config)
		if err != nil {
			t.Fatal(err)
		}
		var rows []map[string]any
		if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
			t.Fatalf("%v:\n%s", err, out)
		}
		for key, want := range map[string]any{
			"handle": "0x00010000", "direction": "in", "mode": "tunnel", "src": "198.51.100.1", "dst": "198.51.100.2", "spi": "0x00001001",
			"algorithm": "aes-gcm-256", "esn": "0x5", "packets": 0.0, "bytes": 0.0, "auth_failed": 0.0, "syntax_errors": 0.0,
		} {
			if rows[0][key] != want {
				t.Errorf("%s: %s is %v, want %v", device, key, rows[0][key], want)
			}
		}
		if f, _ := rows[0]["fingerprint"].(string); len(f) != 16 || f == strings.Repeat("0", 16) || strings.Contains(out, "a5a5") {
			t.Errorf("%s: fingerprint %q:\n%s", device, f, out)
		}
		if first == "" {
			first = out
		} else if out != first {
			t.Errorf("%s lists\n%s\nbefore\n%s", device, out, first)
		}
	}
	out, _, err := espalier(t, folder, "", "sa", "list", "--device", "gonic:mailbox", "--config", config)
	if err != nil || !strings.Contains(out, "aes-gcm-256") || !strings.Contains(out, "1 of 1024 slots in use, nonce") {
		t.Errorf("table: %v\n%s", err, out)
	}
}

func TestSATableFull(t *testing.T) {
	folder := t.TempDir()
	text := "sas:\n"
	for spi := range 1025 {
		text += strings.TrimPrefix(saYAML(map[string]string{"spi": fmt.Sprintf("%#x", 0x1000+spi)}), "sas:\n")
	}
	_, _, err := espalier(t, folder, "", "sa", "list", "--device", "gonic", "--config", write(t, folder, "c.yaml", text))
	if err == nil || !strings.Contains(err.Error(), "1025 SAs are asked for, the NIC has 1024") {
		t.Errorf("1025 SAs: %v", err)
	}
}

func TestSACommands(t *testing.T) {
	folder := t.TempDir()
	out, _, err := espalier(t, folder, strings.Repeat("ab", 20)+"\n", "sa", "add", "--device", "gonic", "--spi", "0x77", "--src", "192.0.2.1", "--dst", "192.0.2.2")
	if err != nil || !strings.HasPrefix(out, "0x00010000") || strings.Contains(out, "abab") {
		t.Errorf("sa add: %v\n%s", err, out)
	}
	config := write(t, folder, "c.yaml", saYAML(map[string]string{"esn": "true", "sequence": "0x500000000"}))
	out, _, err = espalier(t, folder, "", "sa", "list", "--device", "gonic", "--config", config)
	if err != nil || !strings.Contains(out, "0x00001001") || !strings.Contains(out, "0x5") || strings.Contains(out, "000102") {
		t.Errorf("sa list: %v\n%s", err, out)
	}
	out, _, err = espalier(t, folder, "", "sa", "del", "--device", "gonic", "--config", config, "0x10000")
	if err != nil || !strings.Contains(out, "deleted 0x00010000") {
		t.Errorf("sa del: %v\n%s", err, out)
	}
}

func TestRegsCommands(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"regs", "list", "int_mod"}, "int_moderation[0..31]"},
		{[]string{"regs", "list", "--fields", "ctrl"}, "tx_enable[1:1]"},
		{[]string{"regs", "dump", "--device", "gonic"}, "0x4c505345"},
		{[]string{"regs", "dump", "--device", "gonic", "--json", "version"}, `"major": "1"`},
		{[]string{"regs", "poke", "--device", "gonic", "scratch", "0xdeadbeef"}, "0xdeadbeef"},
		{[]string{"regs", "poke", "--device", "gonic", "ctrl.loopback", "1"}, "loopback=1"},
		{[]string{"regs", "peek", "--device", "gonic", "cap_size.num_txq"}, "num_txq=4"},
		{[]string{"version"}, "register interface 1."},
		{[]string{"caps", "--device", "gonic"}, "128, 192, 256"},
	} {
		out, _, err := espalier(t, folder, "", c.args...)
		if err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %v, wanted is %q in\n%s", c.args, err, c.want, out)
		}
	}
}

// TestFullDisk runs the program with its results on a file system of 64 KiB, in
// a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "espalier")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	capture, err := filepath.Abs(captures + "/http.pcap")
	if err != nil {
		t.Fatal(err)
	}
	// Propagation stays as it is because changing it needs a root folder that is
	// a mount point, which a chroot's is not; so the script unmounts.
	args := []string{"--mount", "--propagation", "unchanged"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	script := `mkdir o && mount -t tmpfs -o size=64k tmpfs o && { ` + program + ` run --device gonic --out o ` + capture + `; echo "exit $?"; ls -A o; umount o; }`
	cmd := exec.Command("unshare", append(args, "sh", "-c", script)...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("unshare: %v\n%s", err, out)
	}
	if text := string(out); text != "espalier: o/wire.pcapng was not written: the disk is full; `df -h` shows where there is room, --out chooses another folder\nexit 2\n" {
		t.Errorf("on a full disk:\n%s", text)
	}
}

func TestExitCodes(t *testing.T) {
	if exitOK != 0 || exitMismatch != 1 || exitFailure != 2 {
		t.Error("exit codes are documented in the help and must not change")
	}
	if errors.Is(errMismatch, context.Canceled) {
		t.Error("a mismatch is not an interruption")
	}
}
