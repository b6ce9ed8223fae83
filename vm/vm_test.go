// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/vm/job"
)

func TestShares(t *testing.T) {
	for name, test := range map[string]struct {
		writable []string
		want     string
	}{
		"none":                 {nil, "/"},
		"one":                  {[]string{"/a/b"}, "/ /a/b"},
		"the same twice":       {[]string{"/a/b", "/a/b"}, "/ /a/b"},
		"one in another":       {[]string{"/a/b/c", "/a/b"}, "/ /a/b"},
		"names that are alike": {[]string{"/a/bc", "/a/b", "/a/b-c/d"}, "/ /a/b /a/b-c/d /a/bc"},
	} {
		var paths []string
		tags := map[string]bool{}
		all := shares(test.writable)
		for i, share := range all {
			paths = append(paths, share.Path)
			tags[share.Tag] = true
			if share.Writable != (i > 0) {
				t.Errorf("%s: %s is writable: %v", name, share.Path, share.Writable)
			}
		}
		if got := strings.Join(paths, " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if len(tags) != len(all) {
			t.Errorf("%s: a tag is there twice: %v", name, all)
		}
	}
}

func TestEnvironment(t *testing.T) {
	c := Config{Cards: []string{"a", "b"}, Env: []string{"HOME=/other", "MORE=a=b", "ESPALIER_X="}}
	got := c.environment([]string{"HOME=/home/me", "SECRET=x", "ESPALIER_X=1", "ESPALIER_SEED=7", "LANG=C", "PATHX=no"})
	for _, want := range []string{"HOME=/other", "MORE=a=b", "ESPALIER_X=", "ESPALIER_SEED=7", "LANG=C", "ESPALIER_VM=1", "ESPALIER_CARDS=0000:00:10.0,0000:00:11.0"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	names := map[string]bool{}
	for _, variable := range got {
		name, value, _ := strings.Cut(variable, "=")
		if names[name] || name == "SECRET" || name == "PATHX" {
			t.Errorf("%s is there twice, or should not be", name)
		}
		names[name] = true
		if own, _ := os.Executable(); name == "PATH" && !strings.HasPrefix(value, filepath.Dir(own)+":") {
			t.Errorf("PATH %q does not begin with this program's folder", value)
		}
	}
}

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(c *Config)
		says   string // empty: it is right
	}{
		"defaults":        {func(*Config) {}, ""},
		"no command":      {func(c *Config) { c.Command = nil }, "no command"},
		"empty command":   {func(c *Config) { c.Command = []string{""} }, "no command"},
		"memory":          {func(c *Config) { c.Memory = 255 }, "255, want 256 to"},
		"processors":      {func(c *Config) { c.CPUs = 65 }, "65, want 1 to 64"},
		"huge pages":      {func(c *Config) { c.HugePages = 400 }, "it takes 1056 MiB"},
		"huge pages fit":  {func(c *Config) { c.HugePages, c.Memory = 400, 1056 }, ""},
		"cards":           {func(c *Config) { c.Cards = make([]string, 15) }, "15, want at most 14"},
		"networks":        {func(c *Config) { c.Networks = make([]string, 5) }, "5, want at most 4"},
		"environment":     {func(c *Config) { c.Env = []string{"=x"} }, `"=x": want NAME=VALUE`},
		"no folder":       {func(c *Config) { c.Dir = filepath.Join(folder, "none") }, "no such file"},
		"a file":          {func(c *Config) { c.Shares = []string{file} }, "is not a folder"},
		"the root":        {func(c *Config) { c.Dir = "/" }, "/ cannot be shared"},
		"a symbolic link": {func(c *Config) { c.Dir = link }, ""},
	} {
		c := Config{Command: []string{"true"}, Dir: folder}
		test.change(&c)
		err := c.check()
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: error %v, want it to say %q", name, err, test.says)
		case err == nil && (c.BootTimeout != DefaultBootTimeout || c.Memory == 0 || c.CPUs == 0):
			t.Errorf("%s: a default is missing: %+v", name, c)
		case err == nil:
			if real, _ := filepath.EvalSymlinks(folder); c.Dir != real {
				t.Errorf("%s: folder %s, want %s", name, c.Dir, real)
			}
		}
	}
}

func TestMachine(t *testing.T) {
	c := Config{Command: []string{"true"}, Cards: []string{`/tmp/a "b", c.sock`}, Networks: []string{"/tmp/n,x"}, Mirror: "/tmp/m", Memory: 512, CPUs: 3}
	args := c.machine("/k", "/i", 4, []job.Share{{Tag: "root"}, {Tag: "share1"}}, []int{5, 6})
	text := strings.Join(args, " ")
	for _, want := range []string{
		"-smp 3", "-m 512M", "size=512M,share=on", "intel-iommu,caching-mode=on", "intel_iommu=on iommu=pt", "loglevel=5",
		"socket,id=share1,fd=6", "tag=share1", "socket,id=job,fd=4",
		`"id":"mirror","addr":{"type":"unix","path":"/tmp/m"}`, "netdev=mirror,romfile=,mac=" + job.TapAddress,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
	var device struct {
		Driver, Addr string
		Socket       struct{ Type, Path string }
		Timeout      int `json:"x-msg-timeout"`
	}
	if err := json.Unmarshal([]byte(args[len(args)-1]), &device); err != nil {
		t.Fatal(err)
	}
	if device.Driver != "vfio-user-pci" || device.Socket.Path != c.Cards[0] || device.Socket.Type != "unix" || device.Addr != "10.0" || device.Timeout < 30_000 {
		t.Errorf("card: %+v", device)
	}
	c.NoIOMMU, c.Console = true, os.Stderr
	if text = strings.Join(c.machine("/k", "/i", 4, nil, nil), " "); strings.Contains(text, "iommu") || !strings.Contains(text, "loglevel=7") {
		t.Errorf("without an IOMMU, with a console: %s", text)
	}
	if got := CardAddress(13); got != "0000:00:1d.0" {
		t.Errorf("last card at %s", got)
	}
}

func TestDefaultsAreWithinLimits(t *testing.T) {
	if DefaultBootTimeout < time.Minute || firstSlot+MaxCards > 0x1f {
		t.Error("a card would be where the machine has its own devices, or a slow machine has no time to boot")
	}
}
