// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/regress/conformance"
)

func TestConformanceCommand(t *testing.T) {
	folder := t.TempDir()
	out, _, err := espalier(t, folder, "", "conformance", "--device", "gonic", "--row", "add-1", "--row", "LSO-1,INT-3", "--out", "page.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"ADD-1", "pass", "LSO-1", "not advertised", "INT-3", "not yet"} {
		if !strings.Contains(out, words) {
			t.Errorf("the table does not have %q:\n%s", words, out)
		}
	}
	if strings.Contains(out, "ADD-2") {
		t.Errorf("a row was checked that was not asked for:\n%s", out)
	}
	page, err := os.ReadFile("page.md")
	if err != nil || !bytes.Contains(page, []byte("| ADD-1 | Add |")) {
		t.Errorf("page (%v):\n%s", err, page)
	}

	out, _, err = espalier(t, folder, "", "conformance", "--device", "gonic:window, gonic:mailbox", "--row", "DEL-1", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var reports []conformance.Report
	if err := json.Unmarshal([]byte(out), &reports); err != nil {
		t.Fatal(err)
	}
	if len(reports) != 2 || len(reports[0].Results) != 1 || reports[1].Results[0].ID != "DEL-1" || reports[1].Results[0].Status != conformance.Pass {
		t.Errorf("JSON:\n%s", out)
	}

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--row", "ADD-77"}, `no row "ADD-77", nearest is "ADD-7"`},
		{[]string{"--device", "gonik"}, `nearest is "gonic"`},
		{[]string{"--row", "CAP-3", "--out", "not/there.md"}, "not/there.md was not written"},
	} {
		args := append([]string{"conformance", "--device", "gonic"}, c.args...)
		if _, _, err := espalier(t, folder, "", args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, wanted is %q", c.args, err, c.want)
		}
	}
}

// TestConformanceFailed: a row that fails is printed in full and ends the command
// as a NIC in the wrong does.
func TestConformanceFailed(t *testing.T) {
	row := conformance.Result{Row: conformance.Row{ID: "TX-1", Feature: "Sends", Tags: []conformance.Tag{conformance.Documented}}, Status: conformance.Pass}
	good := &conformance.Report{Device: "gonic", Results: []conformance.Result{row}}
	row.Status, row.Failure = conformance.Fail, "byte 7 is wrong"
	bad := &conformance.Report{Device: "gonic", Results: []conformance.Result{row}}
	if err := conformant([]*conformance.Report{good}); err != nil {
		t.Error(err)
	}
	if err := conformant([]*conformance.Report{good, bad}); !errors.Is(err, errMismatch) {
		t.Errorf("a failed row gives %v", err)
	}
	var out bytes.Buffer
	printConformance(&out, []*conformance.Report{bad})
	if !strings.Contains(out.String(), "FAIL") || !strings.Contains(out.String(), "Go NIC: TX-1 Sends: byte 7 is wrong") {
		t.Errorf("printed:\n%s", out.String())
	}
	if page := conformance.Markdown([]*conformance.Report{bad}); !strings.Contains(page, "| **FAIL** | Go NIC: byte 7 is wrong |") {
		t.Errorf("page:\n%s", page)
	}
}
