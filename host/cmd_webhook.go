package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func webhookCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "webhook", Short: "Send the change feed to URLs (Standard Webhooks)"}
	cmd.AddCommand(webhookCreateCmd(f), webhookListCmd(f), webhookDeadCmd(f), webhookResendCmd(f))
	// with makes a command that does one thing with one webhook.
	with := func(use, short string, do func(cmd *cobra.Command, a *admin, id string) error) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				a, err := f.connect(cmd)
				if err != nil {
					return err
				}
				defer a.close()
				return do(cmd, a, args[0])
			},
		}
	}
	switchTo := func(disabled bool, done string) func(cmd *cobra.Command, a *admin, id string) error {
		return func(cmd *cobra.Command, a *admin, id string) error {
			res, err := a.UpdateWebhookWithResponse(cmd.Context(), a.tenant, id, client.WebhookPatch{Disabled: &disabled})
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "webhook %s %s\n", id, done)
			return nil
		}
	}
	cmd.AddCommand(
		with("enable ID", "Send to a webhook again, from where it was left off", switchTo(false, "enabled")),
		with("disable ID", "Stop sending to a webhook; what happens meanwhile is kept for it", switchTo(true, "disabled")),
		with("delete ID", "Forget a webhook with what was not sent", func(cmd *cobra.Command, a *admin, id string) error {
			res, err := a.DeleteWebhookWithResponse(cmd.Context(), a.tenant, id)
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "webhook %s forgotten\n", id)
			return nil
		}),
		with("secret ID", "Make a new signing secret, shown this once; the old one is good for another 24 hours", func(cmd *cobra.Command, a *admin, id string) error {
			res, err := a.RotateWebhookSecretWithResponse(cmd.Context(), a.tenant, id, &client.RotateWebhookSecretParams{})
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "new secret of webhook %s; it is not shown again, and the old one is good for another 24 hours:\n", id)
			fmt.Fprintln(cmd.OutOrStdout(), res.JSON200.Secret)
			return nil
		}),
		with("test ID", "Send a test message", func(cmd *cobra.Command, a *admin, id string) error {
			res, err := a.TestWebhookWithResponse(cmd.Context(), a.tenant, id, &client.TestWebhookParams{})
			if err := client.Check(res, err); err != nil {
				return err
			}
			if !res.JSON200.Ok {
				return fmt.Errorf("the test message did not get through: %s", deref(res.JSON200.Problem))
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the test message was accepted")
			return nil
		}),
	)
	return cmd
}

func webhookCreateCmd(f *flags) *cobra.Command {
	var name string
	var kinds []string
	cmd := &cobra.Command{
		Use: "create URL", Short: "Send changes from now on to a URL; the signing secret is shown this once", Args: cobra.ExactArgs(1),
		Example: "  roomwire webhook create https://erp.example.com/roomwire --kinds created,cancelled",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			in := client.WebhookInput{URL: args[0], Name: &name}
			if len(kinds) > 0 {
				var list []client.ChangeKind
				for _, k := range kinds {
					list = append(list, client.ChangeKind(k))
				}
				in.Kinds = &list
			}
			res, err := a.CreateWebhookWithResponse(cmd.Context(), a.tenant, &client.CreateWebhookParams{}, in)
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "webhook %s; its secret is not shown again:\n", res.JSON201.Webhook.ID)
			fmt.Fprintln(cmd.OutOrStdout(), res.JSON201.Secret)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what it is called in lists")
	cmd.Flags().StringSliceVar(&kinds, "kinds", nil, "only changes of these kinds: created, updated, cancelled, problem, answered")
	return cmd
}

func webhookListCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List webhooks and how they fare", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.ListWebhooksWithResponse(cmd.Context(), a.tenant)
			if err := client.Check(res, err); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tURL\tKINDS\tSTATE\tLAST OK\tSENT UP TO\tPROBLEM")
			for _, h := range res.JSON200.Items {
				state := "ok"
				switch {
				case h.Disabled:
					state = "disabled"
				case h.FailingSince != nil:
					state = "failing since " + when(h.FailingSince)
				}
				kinds := make([]string, len(h.Kinds))
				for i, k := range h.Kinds {
					kinds[i] = string(k)
				}
				if len(kinds) == 0 {
					kinds = []string{"all"}
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n",
					h.ID, h.Name, h.URL, strings.Join(kinds, ","), state, when(h.LastOk), h.Seq, deref(h.Problem))
			}
			return w.Flush()
		},
	}
}

func webhookDeadCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "dead ID", Short: "List the messages that a webhook was given up for", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CHANGE\tGIVEN UP\tATTEMPTS\tPROBLEM")
			params := &client.ListDeadMessagesParams{}
			for {
				res, err := a.ListDeadMessagesWithResponse(cmd.Context(), a.tenant, args[0], params)
				if err := client.Check(res, err); err != nil {
					return err
				}
				for _, d := range res.JSON200.Items {
					fmt.Fprintf(w, "%d\t%s\t%d\t%s\n", d.Seq, when(&d.At), d.Attempts, d.Problem)
				}
				if res.JSON200.Next == nil {
					return w.Flush()
				}
				params.After = res.JSON200.Next
			}
		},
	}
}

func webhookResendCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "resend ID [CHANGE]", Short: "Send what a webhook was given up for again: one message, or all", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			var r *client.Resent
			if len(args) == 2 {
				seq, err := strconv.ParseInt(args[1], 10, 64)
				if err != nil {
					return fmt.Errorf("%q is no number of a change: roomwire webhook dead %s lists them", args[1], args[0])
				}
				res, err := a.ResendDeadMessageWithResponse(cmd.Context(), a.tenant, args[0], seq, &client.ResendDeadMessageParams{})
				if err := client.Check(res, err); err != nil {
					return err
				}
				r = res.JSON200
			} else {
				res, err := a.ResendDeadMessagesWithResponse(cmd.Context(), a.tenant, args[0], &client.ResendDeadMessagesParams{})
				if err := client.Check(res, err); err != nil {
					return err
				}
				r = res.JSON200
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d sent\n", r.Sent)
			if p := deref(r.Problem); p != "" {
				return fmt.Errorf("the next one did not get through: %s", p)
			}
			return nil
		},
	}
}
