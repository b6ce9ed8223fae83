// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regress/speed"
)

//go:embed bench.html.tmpl
var benchPageText string

var benchPageTemplate = template.Must(template.New("bench").Parse(benchPageText))

// writeBenchPage writes the report as one HTML page that needs nothing else.
func writeBenchPage(path string, r *speed.Report) error {
	page := struct {
		Build, Tool, Verdict string
		Quick                bool
		Tables               []template.HTML
	}{Build: r.Build, Tool: r.Tool, Verdict: benchVerdict(r), Quick: r.Quick}
	for _, t := range benchTables(r) {
		page.Tables = append(page.Tables, template.HTML(t.RenderHTML())) // go-pretty escapes what is in the cells
	}
	return regress.WriteFile(path, func(w io.Writer) error { return benchPageTemplate.Execute(w, page) })
}
