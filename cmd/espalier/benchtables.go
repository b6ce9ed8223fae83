// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/regress/speed"
)

// benchTables are the tables of the sections that were measured.
func benchTables(r *speed.Report) []table.Writer {
	tables := rateTables(r.Rates)
	if len(r.Latency) > 0 {
		tables = append(tables, latencyTable(r.Latency))
	}
	if len(r.Installs) > 0 {
		tables = append(tables, installTable(r.Installs))
	}
	if operations := slices.Concat(r.Control, r.Window); len(operations) > 0 {
		tables = append(tables, controlTable(operations))
	}
	if len(r.Beside) > 0 {
		tables = append(tables, besideTable(r.Beside))
	}
	if r.Sim != nil {
		tables = append(tables, simulatorTable(r.Sim))
	}
	if len(r.Golden) > 0 {
		tables = append(tables, goldenTable(r.Golden))
	}
	if len(r.Driver) > 0 {
		tables = append(tables, driverTable(r.Driver))
	}
	if r.PCIe != nil {
		tables = append(tables, pcieTables(r.PCIe)...)
	}
	return tables
}

// benchVerdict is the last line, and before it what could not be measured.
func benchVerdict(r *speed.Report) string {
	text := ""
	if r.PCIe != nil {
		for _, what := range r.PCIe.NotMeasured {
			text += "NOT MEASURED: " + what + "\n"
		}
	}
	return text + goalVerdict(r)
}

func goalVerdict(r *speed.Report) string {
	if n := r.Missed(); n > 0 {
		return fmt.Sprintf("goals missed: %d", n)
	}
	return "all figures meet their goals"
}

// benchTable begins a table with a title; columns after the first labels are
// numbers.
func benchTable(title string, labels int, header table.Row) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.SetTitle("%s", title)
	t.Style().Title.Format = text.FormatDefault
	t.AppendHeader(header)
	var columns []table.ColumnConfig
	for i := labels + 1; i <= len(header); i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return t
}

// flow is what a row of the tables of rates is about.
type flow struct {
	inner              string
	traffic, direction speed.Traffic
}

// block is the row's place among the others: sending, receiving, both.
func (f flow) block() int {
	blocks := []flow{
		{traffic: speed.SendOnly, direction: speed.SendOnly}, {traffic: speed.ReceiveOnly, direction: speed.ReceiveOnly},
		{traffic: speed.Both, direction: speed.SendOnly}, {traffic: speed.Both, direction: speed.ReceiveOnly},
	}
	return slices.Index(blocks, flow{traffic: f.traffic, direction: f.direction})
}

// row is a flow under all loads.
type row struct {
	flow
	loads map[speed.Load]speed.Rate
}

// rateTables are a table per memory latency with the loads side by side.
func rateTables(rates []speed.Rate) []table.Writer {
	var memories []uint64
	blocks := make(map[uint64][]*row)
	for _, r := range rates {
		rows := blocks[r.Memory]
		if rows == nil {
			memories = append(memories, r.Memory)
		}
		f := flow{r.Inner, r.Traffic, r.Direction}
		at := slices.IndexFunc(rows, func(x *row) bool { return x.flow == f })
		if at < 0 {
			at = len(rows)
			rows = append(rows, &row{f, make(map[speed.Load]speed.Rate)})
			blocks[r.Memory] = rows
		}
		rows[at].loads[r.Load] = r
	}
	var tables []table.Writer
	for _, memory := range memories {
		t := benchTable(fmt.Sprintf("Cycles per packet, IPv4 tunnel, host memory latency %d cycles", memory), 2, table.Row{
			"traffic", "inner", "floor", "1 SA\n1 queue", "\n/floor", "1,024 SAs\n1 queue", "\n/1 SA", "1,024 SAs\n4 queues", "\n/floor", "goal", ""})
		rows := blocks[memory]
		// Both directions of one traffic stand in two blocks.
		slices.SortStableFunc(rows, func(a, b *row) int { return a.block() - b.block() })
		for i, r := range rows {
			if i > 0 && rows[i-1].block() != r.block() {
				t.AppendSeparator()
			}
			name := string(r.traffic)
			if r.traffic != r.direction {
				name += ": " + string(r.direction)
			}
			one, full, all := r.loads[speed.OneSA], r.loads[speed.FullTable], r.loads[speed.FullTableAll]
			verdict := speed.Met
			for _, v := range []speed.Verdict{one.Verdict, full.Verdict, full.SteadyVerdict, all.Verdict} {
				if v == speed.Missed {
					verdict = v
				}
			}
			t.AppendRow(table.Row{name, r.inner, fmt.Sprintf("%.1f", one.Floor),
				fmt.Sprintf("%.2f", one.Cycles), fmt.Sprintf("%.3f", one.Ratio),
				fmt.Sprintf("%.2f", full.Cycles), fmt.Sprintf("%.3f", full.Steady),
				fmt.Sprintf("%.2f", all.Cycles), fmt.Sprintf("%.3f", all.Ratio),
				goalText(one.Goal, one.OwnGoal), verdict})
		}
		tables = append(tables, t)
	}
	return tables
}

// goalText marks goals that nobody but this project has set.
func goalText(goal float64, own bool) string {
	s := fmt.Sprintf("%.2f", goal)
	if own {
		s += "*"
	}
	return s
}

func latencyTable(list []speed.Latency) table.Writer {
	t := benchTable("Latency of one packet through an idle NIC, cycles", 0, table.Row{
		"host memory", "inner", "beats", "send: doorbell to wire", "receive: wire to first burst", "receive: wire to completion"})
	for i, l := range list {
		if i > 0 && list[i-1].Memory != l.Memory {
			t.AppendSeparator()
		}
		t.AppendRow(table.Row{l.Memory, l.Inner, l.Beats, l.Send, l.Receive, l.Completion})
	}
	return t
}

func installTable(list []speed.Install) table.Writer {
	t := benchTable("SA installation", 2, table.Row{
		"SA", "", "key bits", "cycles commit to usable", "goal", "register writes", "reads", "cycles in all", ""})
	for _, i := range list {
		direction := "outbound"
		if i.Inbound {
			direction = "inbound"
		}
		t.AppendRow(table.Row{i.IP, direction, i.KeyBits, i.Cycles, i.Goal, i.Writes, i.Reads, i.Total, i.Verdict})
	}
	return t
}

func controlTable(list []speed.Control) table.Writer {
	t := benchTable("SA operations, host's accesses included", 2, table.Row{
		"through", "operation", "at once", "cycles each", "goal", "a second", "one alone, cycles", ""})
	for i, c := range list {
		if i > 0 && list[i-1].Way != c.Way {
			t.AppendSeparator()
		}
		goal := ""
		if c.Goal > 0 {
			goal = fmt.Sprintf("%.0f", c.Goal)
		}
		t.AppendRow(table.Row{c.Way, c.Operation, c.Count, fmt.Sprintf("%.0f", c.Cycles), goal, fmt.Sprintf("%.0f", c.PerSecond), c.Alone, c.Verdict})
	}
	return t
}

func besideTable(list []speed.Beside) table.Writer {
	t := benchTable("Traffic both ways beside SA operations, cycles per packet at the MAC", 2, table.Row{
		"inner", "direction", "alone", "beside", "ratio", "goal", "SAs added and deleted", "cycles each pair", ""})
	for _, b := range list {
		t.AppendRow(table.Row{b.Inner, b.Direction, fmt.Sprintf("%.2f", b.Alone), fmt.Sprintf("%.2f", b.Cycles), fmt.Sprintf("%.3f", b.Ratio),
			fmt.Sprintf("%.2f", b.Goal), b.Pairs, fmt.Sprintf("%.0f", b.Pace), b.Verdict})
	}
	return t
}

func simulatorTable(s *speed.SimulatorSpeed) table.Writer {
	t := benchTable(fmt.Sprintf("Simulator: one NIC, %d packets out and back in", s.Packets), 1, table.Row{
		"", "measured", "goal", ""})
	t.AppendRow(table.Row{"cycles/s through driver and bridge", fmt.Sprintf("%.0f", s.Rate), fmt.Sprintf("%.0f", s.RateGoal), s.RateVerdict})
	t.AppendRow(table.Row{"cycles/s of a bare loop", fmt.Sprintf("%.0f", s.Bare), "", ""})
	t.AppendRow(table.Row{fmt.Sprintf("ratio, median of %d rounds of %d cycles", s.Rounds, s.Cycles), fmt.Sprintf("%.3f", s.Ratio), fmt.Sprintf("%.2f", s.RatioGoal), s.RatioVerdict})
	return t
}

func goldenTable(list []speed.GoldenSpeed) table.Writer {
	t := benchTable(fmt.Sprintf("Golden model, AES-GCM-%d", list[0].KeyBits), 1, table.Row{
		"operation", "inner", "payload", "model MB/s", "AEAD MB/s", "ratio", "goal", ""})
	for _, g := range list {
		t.AppendRow(table.Row{g.Operation, g.Inner, g.Payload, fmt.Sprintf("%.0f", g.Model/1e6), fmt.Sprintf("%.0f", g.AEAD/1e6),
			fmt.Sprintf("%.2f", g.Ratio), fmt.Sprintf("%.2f", g.Goal), g.Verdict})
	}
	return t
}

func driverTable(list []speed.DriverSpeed) table.Writer {
	t := benchTable("Driver with the Go NIC, encryption off", 1, table.Row{
		"operation", "inner", "batch", "ns/packet", "allocations/packet", "goal", ""})
	for _, d := range list {
		t.AppendRow(table.Row{d.Operation, d.Inner, d.Batch, fmt.Sprintf("%.0f", d.Nanoseconds), fmt.Sprintf("%.3f", d.Allocations),
			fmt.Sprintf("%.0f", d.Goal), d.Verdict})
	}
	return t
}

// pcieTables are those of the ways to a NIC.
func pcieTables(s *speed.PCIeSpeed) []table.Writer {
	t := benchTable("Ways to a NIC, wall clock time", 2, table.Row{
		"NIC", "way", "register read\nus", "goal", "", "posted write\nus", "goal", "", "packets/s\ninner 64", "packets/s\ninner 1518", "open to ready\ns", "guest's boot\ns"})
	for _, w := range s.Ways {
		boot := ""
		if w.Boot > 0 {
			boot = fmt.Sprintf("%.1f", w.Boot)
		}
		t.AppendRow(table.Row{w.NIC, w.Way, fmt.Sprintf("%.2f", w.Read), limitText(w.ReadGoal), w.ReadVerdict, fmt.Sprintf("%.2f", w.Write), limitText(w.WriteGoal), w.WriteVerdict,
			fmt.Sprintf("%.0f", w.Small), fmt.Sprintf("%.0f", w.Large), fmt.Sprintf("%.2f", w.Open), boot})
	}
	tables := []table.Writer{t}
	if c := s.Clock; c != nil {
		t := benchTable(fmt.Sprintf("Simulated clock under traffic, median of %d rounds in turns", c.Rounds), 1, table.Row{"", "measured", "goal", ""})
		t.AppendRow(table.Row{"cycles/s in process", fmt.Sprintf("%.0f", c.InProcess), "", ""})
		t.AppendRow(table.Row{"cycles/s behind vfio-user", fmt.Sprintf("%.0f", c.Served), "", ""})
		t.AppendRow(table.Row{"ratio", fmt.Sprintf("%.3f", c.Ratio), fmt.Sprintf("%.2f", c.Goal), c.Verdict})
		tables = append(tables, t)
	}
	if len(s.DMA) > 0 {
		t := benchTable("DMA by descriptor (vfio-user server), GB/s", 1, table.Row{"block", "read", "memcpy", "ratio", "write", "memcpy", "ratio", "goal", ""})
		for _, d := range s.DMA {
			goal := ""
			if d.Goal > 0 {
				goal = goalText(d.Goal, true)
			}
			t.AppendRow(table.Row{discover.Size(uint64(d.Block)), fmt.Sprintf("%.2f", d.Read/1e9), fmt.Sprintf("%.2f", d.ReadCopy/1e9), fmt.Sprintf("%.2f", d.ReadRatio),
				fmt.Sprintf("%.2f", d.Write/1e9), fmt.Sprintf("%.2f", d.WriteCopy/1e9), fmt.Sprintf("%.2f", d.WriteRatio), goal, d.Verdict})
		}
		tables = append(tables, t)
	}
	return tables
}

// limitText is a goal that must not be reached, "" for none.
func limitText(goal float64) string {
	if goal == 0 {
		return ""
	}
	return fmt.Sprintf("< %.0f", goal)
}
