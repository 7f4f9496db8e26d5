// Command bench measures Roomwire as it is installed: the host as its own process with real plugin processes, against
// exchangesim as a third, over HTTP. It prints the figures and writes them into the tables of docs/benchmarks.md.
//
//	go run ./test/bench                              every figure, in about twenty minutes
//	go run ./test/bench -full                        with 100,000 persons, 1,000 of them moved
//	go run ./test/bench -only intake,hop             some of them
//	go run ./test/bench -only backfill -profile DIR  with CPU profiles of every process
//
// What is compared is measured in one run, one after the other, by the same code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A figure is one part of the page.
type figure struct {
	name    string // of its place in the page
	measure func(ctx context.Context, b *bench, r *result) error
}

func figures() []figure {
	return []figure{
		{"hop", measureHop},
		{"firstsync", measureFirstSync},
		{"graph", measureGraph},
		{"decode", measureDecode},
		{"intake", measureIntake},
		{"intake-postgres", measureIntakePostgres},
		{"latency", measureLatency},
		{"backfill", measureBackfill},
		{"persons", measurePersons},
		{"move", measureMove},
		{"swap", measureSwap},
		{"restart", measureRestart},
		{"idle-plugins", measureIdlePlugins},
		{"plan", measurePlan},
		{"reconcile", measureReconcile},
		{"reconcile-graph", measureReconcileGraph},
	}
}

// bench is what every figure works with.
type bench struct {
	root    string // the module's
	bin     string // the folder with the programs
	work    string // a folder for data, on a real disk: durable means durable
	full    bool
	profile string // folder for profiles; empty: none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 2 && os.Args[1] == bareArgument {
		fail(serveBare(ctx))
		return
	}
	out := flag.String("out", "", "write the tables into this page, between its markers")
	only := flag.String("only", "", "measure only these figures, with commas between them")
	b := &bench{}
	flag.BoolVar(&b.full, "full", false, "also measure with 100,000 persons, and move 1,000 instead of 100")
	flag.StringVar(&b.profile, "profile", "", "write CPU profiles of every process into this folder")
	work := flag.String("work", "", "keep databases below this folder; default: the system's temporary one")
	flag.Parse()
	fail(run(ctx, b, *work, *out, *only))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, work, out, only string) (err error) {
	if b.root, err = moduleRoot(ctx); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp(work, "roomwire-bench"); err != nil {
		return err
	}
	if b.profile == "" { // else its recordings and logs are worth a look
		defer func() { _ = os.RemoveAll(b.work) }()
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	chosen := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	for _, name := range chosen {
		if !slices.ContainsFunc(figures(), func(f figure) bool { return f.name == name }) {
			return fmt.Errorf("there is no figure %q", name)
		}
	}
	pieces := map[string]string{}
	var failed []error
	for _, f := range figures() {
		if len(chosen) > 0 && !slices.Contains(chosen, f.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s …\n", f.name)
		began, load := time.Now(), loadAverage()
		r := &result{}
		if err := f.measure(ctx, b, r); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", f.name, err)
			failed = append(failed, fmt.Errorf("%s failed", f.name))
			continue
		}
		r.note("Measured %s in %s; load average before: %s. %s",
			began.UTC().Format("2006-01-02 15:04 UTC"), time.Since(began).Round(time.Second), load, machine())
		pieces[f.name] = r.String()
		fmt.Printf("## %s\n\n%s\n", f.name, pieces[f.name])
	}
	if out != "" {
		failed = append(failed, writePage(out, pieces))
	}
	return errors.Join(failed...)
}
