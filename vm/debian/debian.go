// SPDX-License-Identifier: Apache-2.0

// Package debian gets what the virtual machine is made of from Debian's
// archive: QEMU and its file server from trixie-backports and trixie, and a
// guest kernel from Debian 12. Nothing is installed on the machine and no root
// rights are used: apt verifies and downloads the packages with a private state
// folder, dpkg-deb unpacks them into the cache folder, and they run there through
// their own dynamic loader, whatever the machine's own C library is.
//
// The mirror is the one that this machine's apt already uses.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// MirrorVariable names the environment variable that holds the URL of a Debian
// mirror to use in place of the one in apt's own configuration.
const MirrorVariable = "ESPALIER_MIRROR"

// CacheVariable names the environment variable that says where the cache folder
// is. Without it it is the folder "espalier" in the user's cache folder.
const CacheVariable = "ESPALIER_CACHE"

// Options say where to find and keep things. The zero value is ready to use.
type Options struct {
	// Cache is the cache folder; empty means CacheFolder's answer.
	Cache string
	// Mirror is the URL of a Debian mirror; empty means MirrorVariable's or else
	// the one that apt on this machine uses.
	Mirror string
	// Log takes one line of progress at a time, without a newline. It is called
	// only when something has to be got. Nil means nobody listens.
	Log func(line string)
}

func (o Options) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// CacheFolder is where prepared things are kept: CacheVariable's value, or
// "espalier" in the user's cache folder.
func CacheFolder() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w; set %s to a folder", err, CacheVariable)
	}
	return filepath.Join(dir, "espalier"), nil
}

// ErrUnavailable is in the chain of every error that says that something could
// not be got: no mirror, no network, no apt, a full disk. What was got before
// stays usable.
var ErrUnavailable = errors.New("not available")

// unavailableError is one sentence about something that could not be got.
type unavailableError struct{ error }

func (e unavailableError) Is(target error) bool { return target == ErrUnavailable }
func (e unavailableError) Unwrap() error        { return e.error }

func unavailable(format string, args ...any) error {
	return unavailableError{fmt.Errorf(format, args...)}
}

// prepare answers the folder named name in the cache. When it is not there yet,
// fill makes its content in a temporary folder that is renamed at the end, so
// that an interruption at any moment leaves nothing that looks finished. Of
// several processes that want the same folder one makes it and the others wait.
func (o Options) prepare(ctx context.Context, name string, fill func(ctx context.Context, dir string) error) (string, error) {
	cache := o.Cache
	if cache == "" {
		var err error
		if cache, err = CacheFolder(); err != nil {
			return "", err
		}
	}
	final := filepath.Join(cache, name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", unavailable("cache folder: %w; set %s to a folder that can be written", err, CacheVariable)
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), func() {
		o.log("waiting for another process that is preparing the virtual machine in %s", cache)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil // made by the one we waited for
	}
	// Whatever stands here under a temporary name was left by a process that was
	// ended: the lock says that nobody is at it.
	stale, _ := filepath.Glob(filepath.Join(cache, temporaryPrefix+"*"))
	for _, dir := range stale {
		os.RemoveAll(dir)
	}
	dir, err := os.MkdirTemp(cache, temporaryPrefix)
	if err != nil {
		return "", unavailable("cache folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", unavailable("cache folder: %w", err)
	}
	if err := fill(ctx, dir); err != nil {
		return "", err
	}
	if err := os.Rename(dir, final); err != nil {
		return "", unavailable("cache folder: %w", err)
	}
	return final, nil
}

const temporaryPrefix = ".new-"
