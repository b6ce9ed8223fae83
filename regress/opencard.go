// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// The ways to a PCIe function outside this process. Variables, so that tests can
// put a function in this process behind a name.
var (
	openVFIOUser = notYet
	openVFIO     = notYet
	openSysfs    = notYet
)

func notYet(_ context.Context, name string, _ []discover.ID) (pcie.Function, error) {
	return nil, fmt.Errorf("%s: %w", name, errors.ErrUnsupported)
}
