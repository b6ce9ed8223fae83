// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vfiouser

import "os"

// refusesWrites: hugetlbfs is Linux's.
func refusesWrites(*os.File) bool { return false }
