package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func apikeyCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "apikey", Short: "Make and revoke keys of the REST API"}
	cmd.AddCommand(apikeyCreateCmd(f), &cobra.Command{
		Use: "list", Short: "List the keys", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.ListAPIKeysWithResponse(cmd.Context(), a.tenant)
			if err := client.Check(res, err); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tSCOPES\tCREATED\tLAST USED\tREVOKED")
			for _, k := range res.JSON200.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, scopes(k.Scopes), when(&k.Created), when(k.LastUsed), when(k.Revoked))
			}
			return w.Flush()
		},
	}, &cobra.Command{
		Use: "revoke ID", Short: "Revoke a key", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.RevokeAPIKeyWithResponse(cmd.Context(), a.tenant, args[0])
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "key %s revoked\n", args[0])
			return nil
		},
	})
	return cmd
}

func apikeyCreateCmd(f *flags) *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a key; it is shown this once", Args: cobra.ExactArgs(1),
		Example: `  roomwire apikey create "booking system"
  roomwire apikey create dashboard --scope read`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			list := make([]client.Scope, len(names))
			for i, n := range names {
				list[i] = client.Scope(n)
			}
			res, err := a.CreateAPIKeyWithResponse(cmd.Context(), a.tenant, &client.CreateAPIKeyParams{}, client.APIKeyInput{Name: args[0], Scopes: &list})
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "key %s of tenant %s (%s); it is not shown again:\n", res.JSON201.ID, a.tenant, scopes(list))
			fmt.Fprintln(cmd.OutOrStdout(), res.JSON201.Key)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&names, "scope", []string{"bookings"}, "what it may do: read (look), bookings (change bookings, too), admin (everything in the tenant but keys)")
	return cmd
}

func scopes(list []client.Scope) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}
