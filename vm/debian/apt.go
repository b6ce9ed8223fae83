// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// keyrings are the files in which Debian keeps its archive's public keys.
var keyrings = []string{"/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"}

// apt is an apt of its own: its own list of suites, an empty list of installed
// packages (so that a package's dependencies are complete), its own downloads.
// How this machine reaches its mirror (proxies, certificates, passwords) stays
// as it is configured.
type apt struct {
	dir    string // everything of it lives below
	mirror string
}

// archives is the folder that downloads go to.
func (a *apt) archives() string { return filepath.Join(a.dir, "cache", "archives") }

// newAPT makes an apt below dir that knows the suites of the mirror, and
// fetches their package lists.
func (o Options) newAPT(ctx context.Context, dir string, suites ...string) (*apt, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, unavailable("the virtual machine needs Linux on x86-64; this is %s on %s", runtime.GOOS, runtime.GOARCH)
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, unavailable("%s is not on this machine, and the virtual machine's parts come from Debian's archive; use a Debian machine or container", tool)
		}
	}
	keyring := ""
	for _, file := range keyrings {
		if _, err := os.Stat(file); err == nil {
			keyring = file
			break
		}
	}
	if keyring == "" {
		return nil, unavailable("Debian's archive keys are missing (%s); run as root: apt-get install debian-archive-keyring", keyrings[len(keyrings)-1])
	}
	a := &apt{dir: dir, mirror: o.Mirror}
	if a.mirror == "" {
		a.mirror = os.Getenv(MirrorVariable)
	}
	if a.mirror == "" {
		a.mirror = findMirror("/etc/apt")
	}
	if a.mirror == "" {
		return nil, unavailable("/etc/apt names no Debian mirror; set %s to the URL of one", MirrorVariable)
	}
	if strings.ContainsAny(a.mirror, " \t\n") {
		return nil, unavailable("mirror %q: a URL has no blanks", a.mirror)
	}
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial", "preferences.d", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, unavailable("cache folder: %w", err)
		}
	}
	var list strings.Builder
	for _, suite := range suites {
		fmt.Fprintf(&list, "deb [signed-by=%s arch=amd64 target=Packages] %s %s main\n", keyring, a.mirror, suite)
	}
	for name, content := range map[string]string{"sources.list": list.String(), "state/status": "", "preferences": "", "apt.conf": a.config()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, unavailable("cache folder: %w", err)
		}
	}
	if _, err := a.run(ctx, "apt-get", "update"); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unavailable("no package lists for %s from the Debian mirror %s: %w; set %s to a mirror that can be reached", strings.Join(suites, " and "), a.mirror, err, MirrorVariable)
	}
	return a, nil
}

// config is read after the machine's own configuration. What a machine hangs
// on to apt's ends (cleaning its caches, telling a desktop) is not ours to call.
func (a *apt) config() string {
	return fmt.Sprintf(`
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear APT::Architectures;
#clear APT::Default-Release;
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "%[1]s/preferences";
Dir::Etc::preferencesparts "%[1]s/preferences.d";
Dir::Log "%[1]s/log";
`, a.dir)
}

// run runs one of apt's tools and answers its standard output; an error says
// the tool's own words.
func (a *apt) run(ctx context.Context, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, append([]string{"-c", filepath.Join(a.dir, "apt.conf"), "-q"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.Dir = a.archives() // where apt-get download leaves what it got
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %s", tool, firstComplaint(complaints.String(), err))
	}
	return out.String(), nil
}

// firstComplaint is the first error of apt's output, which has a line for each
// of its consequences too.
func firstComplaint(output string, err error) string {
	for line := range strings.Lines(output) {
		if rest, is := strings.CutPrefix(line, "E: "); is {
			return strings.TrimSpace(rest)
		}
	}
	if text := strings.TrimSpace(output); text != "" {
		return strings.Join(strings.Fields(text), " ")
	}
	return err.Error()
}

// uri is a line of apt-get --print-uris: 'URI' FILE SIZE [HASH].
var uri = regexp.MustCompile(`(?m)^'[^']+' (\S+) (\d+)`)

// download fetches the packages that the arguments of apt-get (install or
// download, and what) stand for, and answers their files.
func (a *apt) download(ctx context.Context, o Options, what string, args ...string) ([]string, error) {
	plan, err := a.run(ctx, "apt-get", append([]string{"-y", "--print-uris"}, args...)...)
	if err != nil {
		return nil, unavailable("%s is not to be had from the Debian mirror %s: %w", what, a.mirror, err)
	}
	var names []string
	var total int64
	for _, match := range uri.FindAllStringSubmatch(plan, -1) {
		var size int64
		fmt.Sscan(match[2], &size)
		names, total = append(names, match[1]), total+size
	}
	if len(names) == 0 {
		return nil, unavailable("%s is not to be had from the Debian mirror %s: apt-get lists no packages", what, a.mirror)
	}
	o.log("downloading %s from %s: %d packages, %d MB", what, a.mirror, len(names), (total+500_000)/1_000_000)
	if _, err := a.run(ctx, "apt-get", append([]string{"-y", "--download-only"}, args...)...); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unavailable("download of %s from %s: %w", what, a.mirror, err)
	}
	var files []string
	for _, name := range names {
		files = append(files, filepath.Join(a.archives(), name))
	}
	return files, nil
}

// unpack unpacks the packages' files into dir.
func unpack(ctx context.Context, dir string, packages []string) error {
	for _, file := range packages {
		output, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, dir).CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return unavailable("unpack %s: %s", filepath.Base(file), strings.Join(strings.Fields(string(output)), " "))
		}
	}
	return nil
}

// keepOnly removes everything below dir but the given paths.
func keepOnly(dir string, keep ...string) error {
	var walk func(path string) error
	walk = func(path string) error {
		entries, err := os.ReadDir(filepath.Join(dir, path))
		if err != nil {
			return err
		}
	entry:
		for _, entry := range entries {
			child := filepath.Join(path, entry.Name())
			for _, wanted := range keep {
				if child == wanted {
					continue entry
				}
				if strings.HasPrefix(wanted, child+"/") {
					if err := walk(child); err != nil {
						return err
					}
					continue entry
				}
			}
			if err := os.RemoveAll(filepath.Join(dir, child)); err != nil {
				return err
			}
		}
		return nil
	}
	return walk("")
}
