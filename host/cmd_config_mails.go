package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/mail"
)

func configMailsCmd(f *flags) *cobra.Command {
	var write, language string
	cmd := &cobra.Command{
		Use:   "mails",
		Short: "Show the mails that people get about trouble, or write their templates out for editing",
		Long: `Show every letter as it would reach somebody, with a made-up booking: those of the folder mail.templates where there are any,
else the built-in ones. Nothing is sent.

With --write the built-in letters of all languages are written into a folder, where they can be edited; files that are there
stay as they are. They are used once roomwire.hcl says mail { templates = "DIR" }. Letters that were not changed may be deleted:
the built-in ones are used in their place.`,
		Example: `  roomwire config mails --language de
  roomwire config mails --write configs/mails`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if write != "" {
				written, kept, err := mail.ExportLetters(write)
				for _, name := range written {
					fmt.Fprintln(out, "written:", name)
				}
				for _, name := range kept {
					fmt.Fprintln(out, "left as it is:", name)
				}
				return err
			}
			cfg, err := f.load(cmd, false)
			if err != nil {
				return err
			}
			settings := cfg.Mail
			if language != "" {
				settings.Language = language
			}
			letters, err := mail.LoadLetters(settings)
			if err != nil {
				return err
			}
			for _, name := range letters.Names() {
				sample := letters.Sample()
				sample.Kind = strings.ReplaceAll(name, "-", " ")
				subject, body, err := letters.Write(sample)
				if err != nil {
					return fmt.Errorf("letter %s: %w", name, err)
				}
				fmt.Fprintf(out, "=== %s\nSubject: %s\n\n%s\n", name, subject, body)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&write, "write", "", "write the built-in letters into this folder instead")
	cmd.Flags().StringVar(&language, "language", "", "show those of this language: en or de (default: that of the configuration)")
	return cmd
}
