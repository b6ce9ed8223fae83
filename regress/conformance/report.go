// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown is the page that docs/ has of one report for each kind of NIC. It has
// no times in it, so that it is the same whenever the results are.
func Markdown(reports []*Report) string {
	var b strings.Builder
	b.WriteString(`<!-- Written by: make conformance -->

# Conformance with IPsec Offload Version 2

Each row is one requirement of NDIS IPsec Offload Version 2 and what the checks of ` + "`regress/conformance`" + ` found. ` + "`espalier conformance`" + ` repeats them;
` + "`espalier conformance --row ID --full`" + ` does one with the counts of the table.

* **pass**: every check of the row passed, and they would not if what is required were broken.
* **not advertised**: the NIC does not state the feature; the checks showed that it refuses it, or leaves packets that need it alone.
* **not yet**: nothing shows it.

Tags say where a requirement comes from. From Microsoft: D driver documentation, H public header, T certification, V1 said of version 1 only. Not from Microsoft:
I inferred, G a gap that Espalier decided. Rows with tags of both kinds are counted apart from either.

`)
	b.WriteString("| device | origin |")
	for _, s := range Statuses {
		fmt.Fprintf(&b, " %s |", s)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(Statuses)) + "\n")
	for _, r := range reports {
		for _, origin := range append([]Origin{""}, Origins...) {
			fmt.Fprintf(&b, "| %s | %s |", DeviceTitle(r.Device), OriginTitle(origin))
			for _, s := range Statuses {
				fmt.Fprintf(&b, " %d |", r.Count(origin, s))
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n| id | feature | requires | tags |")
	for _, r := range reports {
		fmt.Fprintf(&b, " %s |", DeviceTitle(r.Device))
	}
	b.WriteString(" remarks |\n|---|---|---|---|" + strings.Repeat("---|", len(reports)) + "---|\n")
	for i := range reports[0].Results {
		row := &reports[0].Results[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |", row.ID, row.Feature, row.Requires, row.TagText())
		var remarks []string
		if row.Note != "" {
			remarks = append(remarks, row.Note)
		}
		for _, r := range reports {
			result := &r.Results[i]
			fmt.Fprintf(&b, " %s |", cell(result.Status))
			if scale := result.ScaleText(); scale != "" {
				remarks = append(remarks, fmt.Sprintf("%s: %s", DeviceTitle(r.Device), scale))
			}
			if result.Failure != "" {
				remarks = append(remarks, fmt.Sprintf("%s: %s", DeviceTitle(r.Device), strings.ReplaceAll(result.Failure, "|", "/")))
			}
		}
		fmt.Fprintf(&b, " %s |\n", strings.Join(remarks, "; "))
	}
	return b.String()
}

// cell is a status as a table shows it: what is wrong stands out.
func cell(s Status) string {
	if s == Fail {
		return "**FAIL**"
	}
	return string(s)
}

// DeviceTitle is a device's name for people.
func DeviceTitle(device string) string {
	switch device {
	case "gonic":
		return "Go NIC"
	case "gonic:mailbox":
		return "Go NIC, mailbox"
	case "gonic:window":
		return "Go NIC, window"
	case "sim":
		return "RTL"
	}
	return device
}

// OriginTitle is an origin for people; "" is all.
func OriginTitle(o Origin) string {
	switch o {
	case "":
		return "all"
	case Microsoft:
		return "Microsoft"
	case Espalier:
		return "Espalier's own"
	case Mixed:
		return "of both"
	}
	return string(o)
}

// Outdated compares a page that Markdown has written with a report and says
// where the page is wrong. Remarks are not compared: they tell how often things
// were done.
func Outdated(page string, report *Report) (wrong []string) {
	lines := map[string][]string{}
	column := -1
	for _, line := range strings.Split(page, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if cells[0] == "id" {
			column = slices.Index(cells, DeviceTitle(report.Device))
		}
		lines[cells[0]] = cells
	}
	if column < 0 {
		return []string{fmt.Sprintf("there is no column for %s", DeviceTitle(report.Device))}
	}
	for i := range report.Results {
		r := &report.Results[i]
		cells := lines[r.ID]
		want := []string{r.ID, r.Feature, r.Requires, r.TagText()}
		switch {
		case len(cells) <= column:
			wrong = append(wrong, fmt.Sprintf("%s is missing", r.ID))
		case !slices.Equal(cells[:len(want)], want):
			wrong = append(wrong, fmt.Sprintf("%s is another row than in the data", r.ID))
		case strings.TrimSpace(cells[column]) != cell(r.Status):
			wrong = append(wrong, fmt.Sprintf("%s is %q for %s, found was %q", r.ID, cells[column], DeviceTitle(report.Device), cell(r.Status)))
		}
	}
	return wrong
}
