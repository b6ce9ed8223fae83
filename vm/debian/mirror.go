// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// suites are the names that a Debian mirror's releases go by. A third party's
// archive that happens to be listed first has others.
var suites = []string{"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid", "buster", "bullseye", "bookworm", "trixie", "forky", "duke"}

// source is one entry of apt's source lists.
type source struct {
	uris, suites, components []string
}

// isDebian says whether the entry is a Debian mirror's main archive.
func (s source) isDebian() bool {
	return len(s.uris) > 0 && slices.Contains(s.components, "main") &&
		slices.ContainsFunc(s.suites, func(suite string) bool { return slices.Contains(suites, suite) })
}

// findMirror is the URL of the Debian mirror that apt uses, read below etc
// ("/etc/apt"); empty when there is none.
func findMirror(etc string) string {
	files, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	for _, file := range append([]string{filepath.Join(etc, "sources.list")}, files...) {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var found []source
		switch filepath.Ext(file) {
		case ".list":
			found = parseList(content)
		case ".sources":
			found = parseSources(content)
		}
		for _, s := range found {
			if s.isDebian() {
				return s.uris[0]
			}
		}
	}
	return ""
}

// parseList reads apt's one-line format, sources.list(5):
//
//	deb [ option=value ... ] uri suite component ...
func parseList(content []byte) []source {
	var found []source
	for _, line := range lines(content) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		kind, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		if kind != "deb" {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, after, closed := strings.Cut(rest, "]")
			if !closed {
				continue
			}
			rest = after
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		found = append(found, source{uris: fields[:1], suites: fields[1:2], components: fields[2:]})
	}
	return found
}

// parseSources reads apt's deb822 format, sources.list(5): stanzas of fields,
// a field continued on lines that begin with a blank.
func parseSources(content []byte) []source {
	var found []source
	fields := map[string]string{}
	last := ""
	flush := func() {
		enabled := strings.ToLower(strings.TrimSpace(fields["enabled"]))
		if slices.Contains(strings.Fields(fields["types"]), "deb") && enabled != "no" && enabled != "false" {
			found = append(found, source{
				uris:       strings.Fields(fields["uris"]),
				suites:     strings.Fields(fields["suites"]),
				components: strings.Fields(fields["components"]),
			})
		}
		fields, last = map[string]string{}, ""
	}
	for _, line := range lines(content) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] += " " + line
		default:
			name, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = value
		}
	}
	flush()
	return found
}

func lines(content []byte) []string {
	var all []string
	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		all = append(all, scanner.Text())
	}
	return all
}
