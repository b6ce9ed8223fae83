// SPDX-License-Identifier: Apache-2.0

package regs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// The reference is one page that needs nothing else: no script, no file, no other host; and each link leads to a place in it.
func TestHTMLStandsAlone(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("html", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, foreign := range []string{"<script", "<link", "<img", "<iframe", " src=", "http:", "https:", "@import", "url("} {
		if strings.Contains(page, foreign) {
			t.Errorf("contains %q", foreign)
		}
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] {
			t.Errorf("id %s occurs twice", id[1])
		}
		ids[id[1]] = true
	}
	links := regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) < len(regs.Map)/2 {
		t.Errorf("only %d links", len(links))
	}
	for _, link := range links {
		if name, inside := strings.CutPrefix(link[1], "#"); !inside || !ids[name] {
			t.Errorf("link to %q leads nowhere", link[1])
		}
	}
	for i := range regs.Map {
		name := regs.Map[i].Name
		name = strings.NewReplacer("txq[].", "queue.", "rxq[].", "queue.", "[]", "").Replace(name)
		if !ids["reg-"+name] {
			t.Errorf("%s is not described", regs.Map[i].Name)
		}
		for j := range regs.Map[i].Fields {
			if f := &regs.Map[i].Fields[j]; !strings.Contains(page, `<td class="name">`+f.Name+"</td>") {
				t.Errorf("field %s of %s is not described", f.Name, name)
			}
		}
	}
	for _, record := range []string{"tx_descriptor", "rx_descriptor", "completion", "sa_record"} {
		if !ids["record-"+record] {
			t.Errorf("record %s is not described", record)
		}
	}
}

// Text of the source is text on the page, whatever it contains.
func TestHTMLEscapes(t *testing.T) {
	source, err := os.ReadFile("espalier.rdl")
	if err != nil {
		t.Fatal(err)
	}
	const hostile, escaped = `a < b & c > d <script>\"'`, `a &lt; b &amp; c &gt; d &lt;script&gt;&quot;&#x27;`
	changed := string(source)
	places := []string{"Global control", "TX queues are served", "Done as asked", "One frame to send", "Frame length in bytes", "SA slots"}
	for _, place := range places {
		if !strings.Contains(changed, place) {
			t.Fatalf("espalier.rdl does not contain %q", place)
		}
		changed = strings.ReplaceAll(changed, place, place+" "+hostile)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "espalier.rdl"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python(t), "generate.py", "--source", filepath.Join(dir, "espalier.rdl"), "--root", dir).CombinedOutput(); err != nil {
		t.Fatalf("generate.py: %v\n%s", err, out)
	}
	page, err := os.ReadFile(filepath.Join(dir, "regs", "html", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range places {
		if !strings.Contains(string(page), place+" "+escaped) {
			t.Errorf("%q lacks %s", place, escaped)
		}
	}
	if strings.Contains(string(page), "<script") {
		t.Error("a description became a tag")
	}
}
