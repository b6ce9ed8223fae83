// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindMirror(t *testing.T) {
	const deb822 = `# made by the installer
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":                {nil, ""},
		"one line":               {map[string]string{"sources.list": "deb http://one.example/debian bookworm main\n"}, "http://one.example/debian"},
		"options and tabs":       {map[string]string{"sources.list": "deb\t[arch=amd64 signed-by=/k.gpg]  https://two.example/debian\ttrixie main # ours\n"}, "https://two.example/debian"},
		"source packages only":   {map[string]string{"sources.list": "deb-src http://one.example/debian bookworm main\n"}, ""},
		"commented out":          {map[string]string{"sources.list": "# deb http://one.example/debian bookworm main\n"}, ""},
		"unclosed options":       {map[string]string{"sources.list": "deb [arch=amd64 http://one.example/debian bookworm main\n"}, ""},
		"security is no mirror":  {map[string]string{"sources.list": "deb http://s.example/debian-security bookworm-security main\ndeb http://one.example/debian bookworm main\n"}, "http://one.example/debian"},
		"a third party's first":  {map[string]string{"sources.list.d/a.list": "deb https://third.example/apt nodistro main\n", "sources.list.d/b.sources": deb822}, "http://mirror.example/debian"},
		"another distribution's": {map[string]string{"sources.list": "deb http://u.example/ubuntu noble main\n"}, ""},
		"stanzas":                {map[string]string{"sources.list.d/debian.sources": deb822}, "http://mirror.example/debian"},
		"field continued":        {map[string]string{"sources.list.d/debian.sources": "Types: deb\nURIs:\n http://three.example/debian\nSuites: trixie\nComponents:\n contrib\n main\n"}, "http://three.example/debian"},
		"disabled":               {map[string]string{"sources.list.d/debian.sources": "Enabled: no\n" + deb822[len("# made by the installer\n"):]}, ""},
		"second stanza":          {map[string]string{"sources.list.d/debian.sources": "Types: deb\nURIs: http://x.example\nSuites: ./\n\n" + deb822}, "http://mirror.example/debian"},
		"neither ending":         {map[string]string{"sources.list.d/debian.sources.save": deb822}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			for file, content := range test.files {
				path := filepath.Join(etc, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := findMirror(etc); got != test.want {
				t.Errorf("mirror %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [arch=amd64] http://one.example/debian bookworm main\n")
	f.Add("Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents:\n main\n")
	f.Add(" \n\t:\nTypes\n")
	f.Fuzz(func(t *testing.T, content string) {
		for _, s := range append(parseList([]byte(content)), parseSources([]byte(content))...) {
			if s.isDebian() && s.uris[0] == "" {
				t.Errorf("an empty URL from %q", content)
			}
		}
	})
}
