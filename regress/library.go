// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"fmt"
	"os"
	"path/filepath"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// simulatorName is the file that verilator/build.sh makes, in simulatorFolder
// below the repository's root, the one with waveforms a folder deeper.
const (
	simulatorName   = "libespalier_sim.so"
	simulatorFolder = "build/sim"
	traceFolder     = "trace"
)

// LoadLibrary loads the simulator library that c names. Only a simulated device
// has one.
func (c DeviceConfig) LoadLibrary() (*rtlbridge.Library, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	if t.kind != kindSim {
		return nil, fmt.Errorf("device is %q, which is no simulated RTL; --device sim is", c.Device)
	}
	return c.library(t.rest)
}

// library loads the simulator library at rest, or Library, or the one that is found.
func (c DeviceConfig) library(rest string) (*rtlbridge.Library, error) {
	path := c.Library
	if rest != "" {
		path = rest
	}
	if path == "" {
		var err error
		if path, err = c.findLibrary(); err != nil {
			return nil, err
		}
	}
	lib, err := rtlbridge.Load(path)
	if err != nil {
		return nil, err
	}
	if c.Wave != "" && !lib.Info().Trace {
		return nil, fmt.Errorf("waveforms are asked for, and %s was built without them; `make sim-trace` builds one that has them", path)
	}
	return lib, nil
}

// findLibrary looks beside the program, where the repository's build puts it
// seen from there, and from the current folder.
func (c DeviceConfig) findLibrary() (string, error) {
	folder := simulatorFolder
	if c.Wave != "" {
		folder = filepath.Join(folder, traceFolder)
	}
	candidates := []string{filepath.Join(folder, simulatorName)}
	if program, err := os.Executable(); err == nil {
		beside := filepath.Dir(program)
		candidates = append([]string{filepath.Join(beside, simulatorName), filepath.Join(beside, "..", folder, simulatorName)}, candidates...)
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	target := "make sim"
	if c.Wave != "" {
		target = "make sim-trace"
	}
	return "", fmt.Errorf("no simulator library %s beside the program or in %s; `%s` builds it, --sim-library names another, --device gonic needs none", simulatorName, folder, target)
}
