// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

func newRegsCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "regs",
		Short: "List, read and write the NIC's registers by name",
		Long: `Registers are named as in the reference (regs/html/index.html): ctrl, int_moderation[3], txq[2].tail;
a field is a register's name, a dot and its own: ctrl.tx_enable.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRegsListCommand(), newRegsDumpCommand(s), newRegsPeekCommand(s), newRegsPokeCommand(s))
	return cmd
}

func newRegsListCommand() *cobra.Command {
	var fields bool
	cmd := &cobra.Command{
		Use:     "list [PART]",
		Short:   "List registers whose name contains PART",
		Example: "  espalier regs list cap\n  espalier regs list --fields ctrl",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			part := ""
			if len(args) > 0 {
				part = strings.ToLower(args[0])
			}
			t := newTable(cmd)
			t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 64, WidthMaxEnforcer: text.WrapSoft}})
			t.AppendHeader(table.Row{"offset", "register", "access", "what"})
			found := 0
			for i := range regs.Map {
				r := &regs.Map[i]
				if !strings.Contains(r.Name, part) {
					continue
				}
				found++
				name := r.Name
				if r.Count > 0 {
					name = strings.Replace(name, "[]", fmt.Sprintf("[0..%d]", r.Count-1), 1)
				}
				t.AppendRow(table.Row{fmt.Sprintf("0x%05x", r.Offset), name, r.Access, r.Desc})
				if fields {
					for j := range r.Fields {
						f := &r.Fields[j]
						t.AppendRow(table.Row{"", fmt.Sprintf("  %s[%d:%d]", f.Name, f.LSB+f.Width-1, f.LSB), f.Access, f.Desc})
					}
				}
			}
			if found == 0 {
				return fmt.Errorf("no register's name contains %q; `espalier regs list` lists all", part)
			}
			t.Render()
			return nil
		},
	}
	cmd.Flags().BoolVar(&fields, "fields", false, "list the fields too")
	return cmd
}

// registerValue is one register as read.
type registerValue struct {
	Register string            `json:"register"`
	Offset   string            `json:"offset"`
	Value    string            `json:"value"`
	Fields   map[string]string `json:"fields"`
	fields   []string
}

// readRegister reads and decodes one register.
func readRegister(bar pcie.BAR, ref regs.Ref) (registerValue, error) {
	raw, err := bar.Read32(ref.Offset())
	if err != nil {
		return registerValue{}, fmt.Errorf("register %v: %w", ref, err)
	}
	whole := ref
	whole.Field = nil
	value := registerValue{Register: whole.String(), Offset: fmt.Sprintf("0x%05x", ref.Offset()), Value: fmt.Sprintf("0x%08x", raw), Fields: map[string]string{}}
	for i := range ref.Register.Fields {
		f := &ref.Register.Fields[i]
		if f.Access == regs.WriteOnly || ref.Field != nil && ref.Field != f {
			continue
		}
		v := f.Extract(raw)
		shown := strconv.FormatUint(uint64(v), 10)
		if f.Width > 8 {
			shown = fmt.Sprintf("%#x", v)
		}
		if name := f.ValueName(v); name != "" {
			shown += " " + name
		}
		value.Fields[f.Name] = shown
		value.fields = append(value.fields, f.Name)
	}
	return value, nil
}

func printValues(w io.Writer, cmd *cobra.Command, values []registerValue, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(values)
	}
	t := newTable(cmd)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 64, WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"offset", "register", "value", "fields"})
	for _, v := range values {
		decoded := make([]string, 0, len(v.fields))
		for _, name := range v.fields {
			decoded = append(decoded, name+"="+v.Fields[name])
		}
		t.AppendRow(table.Row{v.Offset, v.Register, v.Value, strings.Join(decoded, "  ")})
	}
	t.Render()
	return nil
}

func newRegsDumpCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "dump [NAME ...]",
		Short:             "Read registers, all that can be read or those named, with decoded fields",
		Example:           "  espalier regs dump ctrl status\n  espalier regs dump --json",
		ValidArgsFunction: completeRegister,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			refs, err := lookupAll(args)
			if err != nil {
				return err
			}
			return s.withBAR(cmd, func(bar pcie.BAR) error {
				if len(args) == 0 {
					if refs, err = present(bar); err != nil {
						return err
					}
				}
				values := make([]registerValue, 0, len(refs))
				for _, ref := range refs {
					v, err := readRegister(bar, ref)
					if err != nil {
						return err
					}
					values = append(values, v)
				}
				return printValues(cmd.OutOrStdout(), cmd, values, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func lookupAll(names []string) ([]regs.Ref, error) {
	refs := make([]regs.Ref, len(names))
	for i, name := range names {
		ref, err := regs.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("%w; `espalier regs list` lists all", err)
		}
		refs[i] = ref
	}
	return refs, nil
}

// present lists every readable register of the queues and vectors that this NIC has.
func present(bar pcie.BAR) ([]regs.Ref, error) {
	raw, err := bar.Read32(regs.CapSizeOffset)
	if err != nil {
		return nil, err
	}
	size := regs.CapSize(raw)
	var refs []regs.Ref
	for i := range regs.Map {
		r := &regs.Map[i]
		if r.Access == regs.WriteOnly {
			continue
		}
		count := max(r.Count, 1)
		switch {
		case strings.HasPrefix(r.Name, "txq["):
			count = min(count, int(size.NumTxq()))
		case strings.HasPrefix(r.Name, "rxq["):
			count = min(count, int(size.NumRxq()))
		case strings.HasPrefix(r.Name, "int_moderation["):
			count = min(count, int(size.NumVectors()))
		}
		for index := range count {
			refs = append(refs, regs.Ref{Register: r, Index: index})
		}
	}
	return refs, nil
}

func newRegsPeekCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "peek NAME",
		Short:             "Read one register or field",
		Example:           "  espalier regs peek ctrl.tx_enable",
		Args:              exactArgs("a register's or field's name"),
		ValidArgsFunction: completeRegister,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			refs, err := lookupAll(args)
			if err != nil {
				return err
			}
			return s.withBAR(cmd, func(bar pcie.BAR) error {
				v, err := readRegister(bar, refs[0])
				if err != nil {
					return err
				}
				return printValues(cmd.OutOrStdout(), cmd, []registerValue{v}, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newRegsPokeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "poke NAME VALUE",
		Short:   "Write one register, or one field and leave the others as they read",
		Example: "  espalier regs poke scratch 0xdeadbeef\n  espalier regs poke ctrl.loopback 1",
		Args:    exactArgs("a register's or field's name", "a value"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeRegister(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			refs, err := lookupAll(args[:1])
			if err != nil {
				return err
			}
			ref := refs[0]
			value, err := pokeValue(ref, args[1])
			if err != nil {
				return err
			}
			return s.withBAR(cmd, func(bar pcie.BAR) error {
				if ref.Field != nil {
					raw, err := bar.Read32(ref.Offset())
					if err != nil {
						return err
					}
					value = ref.Field.Insert(raw, value)
				}
				if err := bar.Write32(ref.Offset(), value); err != nil {
					return fmt.Errorf("register %v: %w", ref, err)
				}
				if ref.Register.Access == regs.WriteOnly {
					return nil
				}
				v, err := readRegister(bar, ref)
				if err != nil {
					return err
				}
				return printValues(cmd.OutOrStdout(), cmd, []registerValue{v}, false)
			})
		},
	}
}

// pokeValue reads the value to write, a number or a name of the field's values.
func pokeValue(ref regs.Ref, word string) (uint32, error) {
	access, width := ref.Register.Access, uint(32)
	if ref.Field != nil {
		access, width = ref.Field.Access, ref.Field.Width
		if ref.Field.Enum != nil {
			for _, v := range ref.Field.Enum.Values {
				if strings.EqualFold(v.Name, word) {
					return v.Value, nil
				}
			}
		}
	}
	if access == regs.ReadOnly {
		return 0, fmt.Errorf("%v is read-only; `espalier regs list --fields %s` shows what can be written", ref, ref.Register.Name)
	}
	value, err := strconv.ParseUint(word, 0, 64)
	if err != nil || value >= 1<<width {
		return 0, fmt.Errorf("value for %v is %q; allowed is a number from 0 to %#x", ref, word, uint64(1)<<width-1)
	}
	return uint32(value), nil
}

// withBAR opens the device, without a driver, and hands over its register BAR.
func (s *settings) withBAR(cmd *cobra.Command, use func(pcie.BAR) error) error {
	device, err := s.openDevice(cmd.Context())
	if err != nil {
		return err
	}
	defer device.Close()
	bar, err := device.Function.BAR(pcie.RegisterBAR)
	if err != nil {
		return err
	}
	command, err := device.Function.ConfigRead(pcie.ConfigCommand, 2)
	if err != nil {
		return err
	}
	if err := device.Function.ConfigWrite(pcie.ConfigCommand, 2, command|pcie.CommandMemory); err != nil {
		return err
	}
	if err := awaitReady(cmd.Context(), device.Function, bar); err != nil {
		return err
	}
	return use(bar)
}

// awaitReady waits until a reset that is under way, such as that of power-up, is
// over: while it lasts registers have their reset values, whatever is written.
func awaitReady(ctx context.Context, fn pcie.Function, bar pcie.BAR) error {
	const patience, slice = 1 << 20, 256 // clock cycles in all and between looks
	for range patience / slice {
		raw, err := bar.Read32(regs.StatusOffset)
		if err != nil {
			return err
		}
		if raw == ^uint32(0) {
			return fmt.Errorf("the NIC's status register: %w", pcie.ErrRemoved)
		}
		if regs.Status(raw).Ready() {
			return nil
		}
		if err := fn.Relax(ctx, slice); err != nil {
			return err
		}
	}
	return fmt.Errorf("the NIC is not ready after a reset (status.ready stays 0): %w", pcie.ErrTimeout)
}

// exactArgs refuses another number of arguments, naming what is wanted.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("%d arguments are given, wanted are %d: %s; `%s --help` has an example", len(args), len(names), strings.Join(names, " and "), cmd.CommandPath())
		}
		return nil
	}
}

// completeRegister offers names to the shell: registers, and after a dot their
// fields. An array is offered by its first element.
func completeRegister(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for i := range regs.Map {
		ref := regs.Ref{Register: &regs.Map[i]}
		names = append(names, ref.String())
		if strings.HasPrefix(word, ref.String()+".") {
			for j := range ref.Register.Fields {
				ref.Field = &ref.Register.Fields[j]
				names = append(names, ref.String())
			}
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, word) }), cobra.ShellCompDirectiveNoFileComp
}
