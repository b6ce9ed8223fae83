// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/espalier-nic/espalier/firmware"
)

// Firmware returns the image for the control processor of the library's design:
// the one beside the library, else the one that firmware.Find finds; nil if
// there is none, which is an error only where a NIC cannot do without.
func (l *Library) Firmware() ([]byte, error) {
	image, err := firmware.Load(filepath.Join(filepath.Dir(l.path), string(firmware.Standard)))
	if errors.Is(err, fs.ErrNotExist) {
		path, missing := firmware.Find()
		if missing != nil {
			return nil, nil
		}
		image, err = firmware.Load(path)
	}
	if err != nil {
		return nil, err
	}
	return image.Bytes, nil
}
