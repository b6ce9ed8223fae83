// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/espalier-nic/espalier/vm/job"
)

// shares are the host's folders that the guest has: the root to read, and the
// folders to write to. A folder inside another one that can be written needs no
// share of its own.
func shares(writable []string) []job.Share {
	writable = slices.Clone(writable)
	slices.Sort(writable) // a folder comes before what is in it
	all := []job.Share{{Tag: "root", Path: "/"}}
	for _, folder := range writable {
		inside := slices.ContainsFunc(all[1:], func(s job.Share) bool {
			return folder == s.Path || strings.HasPrefix(folder, s.Path+"/")
		})
		if !inside {
			all = append(all, job.Share{Tag: fmt.Sprintf("share%d", len(all)), Path: folder, Writable: true})
		}
	}
	return all
}
