// SPDX-License-Identifier: Apache-2.0

// Package docs holds the documents to what is there: links lead somewhere, and
// targets, commands, flags and settings that they name exist.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// document is one Markdown file.
type document struct {
	path string // from the repository's root
	text string
}

// documents returns all Markdown files that belong to the repository.
func documents(t *testing.T) []document {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var all []document
	for _, path := range strings.Fields(string(out)) {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document{path, string(text)})
	}
	if len(all) < 4 {
		t.Fatalf("only %d documents found", len(all))
	}
	return all
}

var (
	fence     = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	indented  = regexp.MustCompile(`(?m)^ {4}\S.*$`)
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
	shellTail = regexp.MustCompile(`\s#.*$|[|;&].*$`)
)

// code returns the document's pieces of code: lines of blocks, and what stands between backquotes in prose.
func (d document) code() []string {
	var pieces []string
	for _, block := range fence.FindAllStringSubmatch(d.text, -1) {
		pieces = append(pieces, strings.Split(block[2], "\n")...)
	}
	prose := fence.ReplaceAllString(d.text, "")
	pieces = append(pieces, indented.FindAllString(prose, -1)...)
	for _, span := range codeSpan.FindAllStringSubmatch(prose, -1) {
		pieces = append(pieces, span[1])
	}
	return pieces
}

// calls returns the arguments of each call of a program in a document's code.
func (d document) calls(program *regexp.Regexp) [][]string {
	var all [][]string
	for _, piece := range d.code() {
		for _, at := range program.FindAllStringIndex(piece, -1) {
			all = append(all, strings.Fields(shellTail.ReplaceAllString(piece[at[1]:], "")))
		}
	}
	return all
}

func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, d := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(d.text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, place, _ := strings.Cut(m[1], "#")
			target := filepath.Join(root, filepath.Dir(d.path), path)
			if path == "" {
				target = filepath.Join(root, d.path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", d.path, m[1])
			} else if place != "" && !hasHeading(t, target, place) {
				t.Errorf("%s links to %s, which has no such heading", d.path, m[1])
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no link was checked")
	}
}

// hasHeading says whether a Markdown file has a heading that gets this anchor.
func hasHeading(t *testing.T, path, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		slug := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(h[1]), "")
		if strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}

func TestMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	checked := 0
	for _, d := range documents(t) {
		for _, args := range d.calls(regexp.MustCompile(`^\s*make `)) {
			for _, arg := range args {
				if strings.ContainsAny(arg, "=-") && !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(arg) {
					continue
				}
				if !targets[arg] {
					t.Errorf("%s names `make %s`, which the Makefile does not have", d.path, arg)
				}
				checked++
			}
		}
	}
	if checked == 0 {
		t.Error("no target was checked")
	}
}

// program builds the command and returns its path.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "espalier")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/espalier")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// help is what a command says of itself.
type help struct {
	text        string
	subcommands []string
}

func askHelp(t *testing.T, program string, command []string) help {
	t.Helper()
	out, err := exec.Command(program, append(slices.Clone(command), "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("espalier %s --help: %v\n%s", strings.Join(command, " "), err, out)
	}
	h := help{text: string(out)}
	if _, list, ok := strings.Cut(h.text, "Available Commands:\n"); ok {
		list, _, _ = strings.Cut(list, "\n\n")
		for _, line := range strings.Split(list, "\n") {
			if words := strings.Fields(line); len(words) > 0 {
				h.subcommands = append(h.subcommands, words[0])
			}
		}
	}
	return h
}

func TestCommands(t *testing.T) {
	espalier := program(t)
	checked := 0
	for _, d := range documents(t) {
		for _, args := range d.calls(regexp.MustCompile(`(^|[\s|])(bin/)?espalier `)) {
			var command []string
			h := askHelp(t, espalier, nil)
			for len(args) > 0 && slices.Contains(h.subcommands, args[0]) {
				command, args = append(command, args[0]), args[1:]
				h = askHelp(t, espalier, command)
			}
			// A command that has others takes no arguments of its own.
			if len(h.subcommands) > 0 && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				t.Errorf("%s: `espalier %s` has no %q", d.path, strings.Join(command, " "), args[0])
			}
			for _, arg := range args {
				flag, _, _ := strings.Cut(arg, "=")
				if strings.HasPrefix(flag, "--") && !regexp.MustCompile(regexp.QuoteMeta(flag)+`\s`).MatchString(h.text) {
					t.Errorf("%s: `espalier %s` has no flag %s", d.path, strings.Join(command, " "), flag)
				}
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no command was checked")
	}
}

func TestBuildOptions(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, "verilator", "build.sh"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, d := range documents(t) {
		for _, args := range d.calls(regexp.MustCompile(`verilator/build\.sh `)) {
			for _, arg := range args {
				if strings.HasPrefix(arg, "--") && !regexp.MustCompile(`(?m)^\s+`+arg+`\)`).Match(script) {
					t.Errorf("%s: verilator/build.sh has no option %s", d.path, arg)
				}
				checked++
			}
		}
	}
	if checked == 0 {
		t.Error("no option was checked")
	}
}

// The configuration files that the documents show are accepted as they stand.
func TestConfigurations(t *testing.T) {
	espalier := program(t)
	checked := 0
	for _, d := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(d.text, -1) {
			if block[1] != "yaml" {
				continue
			}
			path := filepath.Join(t.TempDir(), "espalier.yaml")
			if err := os.WriteFile(path, []byte(block[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(espalier, "sa", "list", "--device", "gonic", "--config", path).CombinedOutput(); err != nil {
				t.Errorf("%s: configuration refused: %s", d.path, out)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no configuration was checked")
	}
}
