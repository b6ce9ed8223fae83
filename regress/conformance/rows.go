// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/espalier-nic/espalier/internal/nearest"
)

//go:embed ipsecov2.yaml
var rowsYAML []byte

// Tag says where a requirement comes from.
type Tag string

// The tags. The first four are Microsoft's word, the last two are not.
const (
	Documented Tag = "D"  // driver documentation of version 2
	Header     Tag = "H"  // public header
	Certified  Tag = "T"  // certification requirement or test
	VersionOne Tag = "V1" // said of version 1 only
	Inferred   Tag = "I"  // inferred from the others and the RFCs
	Gap        Tag = "G"  // nothing is said; Espalier's decision
)

// Origin is who a row's requirement comes from.
type Origin string

// The origins, in the order in which they are reported.
const (
	Microsoft Origin = "Microsoft"
	Espalier  Origin = "Espalier"
	Mixed     Origin = "both"
)

// Origins are all origins in the order in which they are reported.
var Origins = []Origin{Microsoft, Espalier, Mixed}

// Row is one requirement; ipsecov2.yaml says what each field holds.
type Row struct {
	ID        string   `yaml:"id" json:"id"`
	Feature   string   `yaml:"feature" json:"feature"`
	Requires  string   `yaml:"requires" json:"requires"`
	Tags      []Tag    `yaml:"tags" json:"tags"`
	When      string   `yaml:"when" json:"when,omitempty"`
	Checks    []string `yaml:"checks" json:"checks,omitempty"`
	Otherwise []string `yaml:"otherwise" json:"otherwise,omitempty"`
	Note      string   `yaml:"note" json:"note,omitempty"`
}

// Origin is Microsoft or Espalier if all tags are of that kind, else Mixed.
func (r *Row) Origin() Origin {
	ours := 0
	for _, t := range r.Tags {
		if t == Inferred || t == Gap {
			ours++
		}
	}
	switch ours {
	case 0:
		return Microsoft
	case len(r.Tags):
		return Espalier
	}
	return Mixed
}

// TagText is the row's tags as in "D, T".
func (r *Row) TagText() string {
	var words []string
	for _, t := range r.Tags {
		words = append(words, string(t))
	}
	return strings.Join(words, ", ")
}

// Rows returns all rows in the order of the table. What is wrong with one is an
// error that names it.
func Rows() ([]Row, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(rowsYAML))
	decoder.KnownFields(true)
	var rows []Row
	if err := decoder.Decode(&rows); err != nil {
		return nil, fmt.Errorf("conformance rows: %w", err)
	}
	seen := map[string]bool{}
	for i := range rows {
		if err := rows[i].check(); err != nil {
			return nil, fmt.Errorf("conformance row %d %q: %w", i+1, rows[i].ID, err)
		}
		if seen[rows[i].ID] {
			return nil, fmt.Errorf("conformance row %q is there twice", rows[i].ID)
		}
		seen[rows[i].ID] = true
	}
	return rows, nil
}

func (r *Row) check() error {
	switch {
	case r.ID == "" || r.Feature == "" || r.Requires == "":
		return fmt.Errorf("id, feature and requires must not be empty")
	case len(r.Tags) == 0:
		return fmt.Errorf("has no tag")
	case r.When == "" && len(r.Otherwise) > 0:
		return fmt.Errorf("has checks for otherwise without a when")
	}
	for i, t := range r.Tags {
		if !slices.Contains([]Tag{Documented, Header, Certified, VersionOne, Inferred, Gap}, t) {
			return fmt.Errorf("tag %q is none of D, H, T, V1, I and G", t)
		}
		if slices.Contains(r.Tags[:i], t) {
			return fmt.Errorf("tag %s is there twice", t)
		}
	}
	if _, ok := features[strings.TrimPrefix(r.When, "no ")]; r.When != "" && !ok {
		return fmt.Errorf("when names %q, which is no feature", r.When)
	}
	for _, name := range slices.Concat(r.Checks, r.Otherwise) {
		if checks[name] == nil {
			return fmt.Errorf("check %q does not exist", name)
		}
	}
	return nil
}

// selectRows returns the rows that ids name (all for none), in the table's order.
func selectRows(rows []Row, ids []string) ([]Row, error) {
	if len(ids) == 0 {
		return rows, nil
	}
	var known []string
	for _, r := range rows {
		known = append(known, r.ID)
	}
	for i, id := range ids {
		if !slices.Contains(known, strings.ToUpper(id)) {
			return nil, fmt.Errorf("there is no row %q, nearest is %q", id, nearest.Name(strings.ToUpper(id), known))
		}
		ids = slices.Clone(ids)
		ids[i] = strings.ToUpper(id)
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !slices.Contains(ids, r.ID) }), nil
}
