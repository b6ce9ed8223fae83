// SPDX-License-Identifier: Apache-2.0

package regs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/espalier-nic/espalier/internal/nearest"
)

// Ref is one register, an element of an array of registers, or a field of one of these.
type Ref struct {
	Register *Register
	Index    int    // element, 0 if the register is no array
	Field    *Field // the field that the name ended with, or nil
}

// Offset returns the byte offset of the register in BAR 0.
func (r Ref) Offset() uint64 {
	return uint64(r.Register.Offset) + uint64(r.Index)*uint64(r.Register.Stride)
}

// String returns the name by which Lookup finds r.
func (r Ref) String() string {
	name := r.Register.Name
	if r.Register.Count > 0 {
		name = strings.Replace(name, "[]", "["+strconv.Itoa(r.Index)+"]", 1)
	}
	if r.Field != nil {
		name += "." + r.Field.Name
	}
	return name
}

// NameError reports a name that Lookup does not know.
type NameError struct {
	Name       string // as given
	Problem    string // what is wrong with it
	Suggestion string // a name that is known, or ""
}

// Error returns one sentence that contains the name and, where there is one, the suggestion.
func (e *NameError) Error() string {
	text := fmt.Sprintf("register %q %s", e.Name, e.Problem)
	if e.Suggestion != "" {
		text += fmt.Sprintf("; did you mean %q?", e.Suggestion)
	}
	return text
}

// Lookup finds a register or field by name: "ctrl", "txq[2].tail", "int_moderation[3].count", "sa.key[0]".
// Case does not matter. The error is a *NameError.
func Lookup(name string) (Ref, error) {
	fail := func(problem, suggestion string) (Ref, error) {
		return Ref{}, &NameError{Name: name, Problem: problem, Suggestion: suggestion}
	}
	plain, index, hasIndex, err := splitIndex(strings.ToLower(name))
	if err != nil {
		return fail(err.Error(), "")
	}
	reg, field := find(plain)
	if reg == nil {
		return fail("is unknown", suggest(plain, index))
	}
	ref := Ref{Register: reg, Index: index, Field: field}
	switch {
	case reg.Count == 0:
		// find matched a name without brackets, so there is no index.
		return ref, nil
	case !hasIndex:
		return fail("is an array and needs an index", ref.String())
	case index >= reg.Count:
		ref.Index = reg.Count - 1
		return fail(fmt.Sprintf("has an index above %d", ref.Index), ref.String())
	}
	return ref, nil
}

// splitIndex takes the number out of the only pair of brackets: "txq[2].tail" is "txq[].tail" and 2.
func splitIndex(name string) (plain string, index int, hasIndex bool, err error) {
	before, rest, found := strings.Cut(name, "[")
	if !found {
		if strings.Contains(name, "]") {
			return "", 0, false, fmt.Errorf("has a ] without a [")
		}
		return name, 0, false, nil
	}
	digits, after, found := strings.Cut(rest, "]")
	if !found {
		return "", 0, false, fmt.Errorf("has a [ without a ]")
	}
	if strings.ContainsAny(after, "[]") {
		return "", 0, false, fmt.Errorf("has more than one index")
	}
	plain = before + "[]" + after
	if digits == "" {
		return plain, 0, false, nil
	}
	value, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return "", 0, false, fmt.Errorf("has an index that is not a number from 0 up")
	}
	return plain, int(value), true, nil
}

// find returns the register, and the field, with this name. Brackets may be missing from an array's name, so that
// the caller can say that they are.
func find(plain string) (*Register, *Field) {
	for i := range Map {
		reg := &Map[i]
		for _, candidate := range spellings(reg) {
			rest, ok := strings.CutPrefix(plain, candidate)
			if !ok {
				continue
			}
			if rest == "" {
				return reg, nil
			}
			for j := range reg.Fields {
				if rest == "."+reg.Fields[j].Name {
					return reg, &reg.Fields[j]
				}
			}
		}
	}
	return nil, nil
}

func spellings(reg *Register) []string {
	if reg.Count == 0 {
		return []string{reg.Name}
	}
	return []string{reg.Name, strings.Replace(reg.Name, "[]", "", 1)}
}

// suggest returns the known name nearest to an unknown one, or "" if all are far off.
func suggest(plain string, index int) string {
	const far = 3 // edits; for short names fewer, so that more than half of the name is right
	var candidates []string
	for i := range Map {
		for _, name := range spellings(&Map[i]) {
			candidates = append(candidates, name)
			for j := range Map[i].Fields {
				candidates = append(candidates, name+"."+Map[i].Fields[j].Name)
			}
		}
	}
	name := nearest.Within(plain, candidates, min(far, len(plain)/2))
	if name == "" {
		return ""
	}
	reg, field := find(name)
	ref := Ref{Register: reg, Field: field}
	if reg.Count > 0 {
		ref.Index = min(index, reg.Count-1)
	}
	return ref.String()
}
