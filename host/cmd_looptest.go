package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func personTestCmd(f *flags) *cobra.Command {
	var asJSON, last, detach bool
	cmd := &cobra.Command{
		Use:   "test ID",
		Short: "Run the synchronisation test (Synchronisationstest) on a person's mailbox",
		Long: `Walk the whole way on a real mailbox and show each step as it passes: check the configuration, create a test
appointment tomorrow in ten years (with Graph: within its window), change it, wait for the server's notification,
delete it. No existing data is touched.

If nothing passes, it is the connection or the configuration. If only the first steps pass, notifications do not
arrive: what is in their way is looked for. The test goes on when this command is ended; --last shows its result.
Exit code 1 if it failed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			if a.local && !last {
				return errors.New("no host runs that could do the test: start it (roomwire serve, or roomwire service start), then test")
			}
			run, err := a.testRun(cmd, args[0], last)
			if err != nil {
				return err
			}
			if detach {
				fmt.Fprintf(cmd.OutOrStdout(), "test %s of %s goes on; roomwire person test %s --last shows how it went\n", run.ID, run.Person, run.Person)
				return nil
			}
			show := &follower{out: cmd.OutOrStdout()}
			for run.Outcome == client.TestRunOutcomeRunning {
				if !asJSON {
					show.steps(run)
				}
				wait := client.Wait("30s")
				res, err := a.GetTestWithResponse(cmd.Context(), a.tenant, args[0], run.ID, &client.GetTestParams{Wait: &wait})
				if err := client.Check(res, err); err != nil {
					return err
				}
				run = res.JSON200
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(run); err != nil {
					return err
				}
			} else {
				show.steps(run)
				show.end(run)
			}
			if run.Outcome != client.TestRunOutcomePassed {
				return errShown
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON, at the end")
	cmd.Flags().BoolVar(&last, "last", false, "show the last test instead of making one")
	cmd.Flags().BoolVar(&detach, "detach", false, "start the test and do not wait for it")
	return cmd
}

// testRun begins a test, or finds the last one.
func (a *admin) testRun(cmd *cobra.Command, person string, last bool) (*client.TestRun, error) {
	if !last {
		res, err := a.StartTestWithResponse(cmd.Context(), a.tenant, person, &client.StartTestParams{})
		if err := client.Check(res, err); err != nil {
			return nil, err
		}
		if res.JSON200 != nil { // one runs already
			fmt.Fprintf(cmd.ErrOrStderr(), "A test of %s runs already; this is how far it is.\n", person)
			return res.JSON200, nil
		}
		return res.JSON202, nil
	}
	res, err := a.ListTestsWithResponse(cmd.Context(), a.tenant, person, &client.ListTestsParams{})
	if err := client.Check(res, err); err != nil {
		return nil, err
	}
	if len(res.JSON200.Items) == 0 {
		return nil, fmt.Errorf("no test was made of %s yet", person)
	}
	return &res.JSON200.Items[0], nil
}

// A follower prints the steps of a test as they end.
type follower struct {
	out   io.Writer
	shown int
}

func (s *follower) steps(run *client.TestRun) {
	for ; s.shown < len(run.Steps); s.shown++ {
		step := run.Steps[s.shown]
		sign, ended := map[client.TestStepState]string{
			client.TestStepStateOk: "ok     ", client.TestStepStateFailed: "FAILED ", client.TestStepStateSkipped: "skipped",
		}[step.State]
		if !ended && run.Outcome == client.TestRunOutcomeRunning {
			return
		}
		if !ended {
			sign = "-      "
		}
		took := ""
		if ms := deref(step.TookMs); ms > 0 {
			took = (time.Duration(ms) * time.Millisecond).String()
		}
		fmt.Fprintln(s.out, strings.TrimRight(fmt.Sprintf("%s  %-14s %8s  %s", sign, step.Name, took, deref(step.Detail)), " "))
		for _, c := range deref(step.Checks) {
			fmt.Fprintf(s.out, "           %-9s %-14s %s\n", c.State, c.Name, c.Detail)
		}
		if c := deref(step.Cause); c != "" {
			fmt.Fprintf(s.out, "         why: %s\n", c)
		}
		if r := deref(step.Remedy); r != "" {
			fmt.Fprintf(s.out, "         what to do: %s\n", r)
		}
	}
}

func (s *follower) end(run *client.TestRun) {
	way := ""
	if w := deref(run.Way); w != "" {
		way = ", notices arrive by " + w
	}
	took := ""
	if run.Ended != nil {
		took = " after " + run.Ended.Sub(run.Started).Round(time.Millisecond).String()
	}
	fmt.Fprintln(s.out, strings.TrimSpace(fmt.Sprintf("%s: %s%s%s", run.Person, run.Outcome, took, way)))
}
