// Package appsettings makes sync modes of the CalendarSync section of an ASP.NET
// appsettings.json, as later releases of ROOMS have it.
//
//	settings, _, err := appsettings.Read("appsettings.json", data)
//	made := appsettings.Convert(settings, appsettings.Options{Secrets: "secrets"})
//	os.Stdout.Write(made.HCL)
//	fmt.Fprint(os.Stderr, made.Findings)
//
// What cannot be carried over is a finding with its reason and what to do; no
// value of the section is left out in silence. Secrets never stand in the HCL
// and in no finding.
package appsettings
