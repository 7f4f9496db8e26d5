package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// paper is what the demonstration is written on: plain lines, readable without colours.
type paper struct {
	out   io.Writer
	color bool
}

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

func (p *paper) paint(style, text string) string {
	if !p.color {
		return text
	}
	return style + text + plain
}

func (p *paper) line(text string) { fmt.Fprintln(p.out, strings.TrimRight(text, " ")) }

func (p *paper) gap() { p.line("") }

func (p *paper) title(text string) {
	p.line(p.paint(bold, text))
	p.line(strings.Repeat("=", len(text)))
}

func (p *paper) text(lines ...string) {
	for _, l := range lines {
		p.line(l)
	}
}

// fact is a labelled line of the introduction and of the end.
func (p *paper) fact(label, text string) { p.line(fmt.Sprintf("  %-16s %s", label, text)) }

// heading opens a step.
func (p *paper) heading(label, title string) {
	p.gap()
	p.line(p.paint(bold, fmt.Sprintf("%-3s %s", label, title)))
}

// story says what is done in a step.
func (p *paper) story(text string) { p.line("    " + text) }

// side says what one side holds, or who was mailed.
func (p *paper) side(label, text string) {
	p.line("      " + p.paint(dim, fmt.Sprintf("%-9s", label)) + " " + text)
}

func (p *paper) passed(text string, took time.Duration) {
	p.line("    " + p.paint(green, "ok") + "  " + text + " after " + milliseconds(took))
}

func (p *paper) failed(text string) { p.line("    " + p.paint(red, "FAILED") + "  " + text) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}
