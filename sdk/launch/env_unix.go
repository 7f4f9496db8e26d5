//go:build !windows

package launch

// systemEnv is what every process of the system needs to work.
func systemEnv(func(string) string) []string { return nil }
