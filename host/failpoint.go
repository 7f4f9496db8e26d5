//go:build !failpoint

package main

// failpoint is for builds with the tag of that name, which tests make.
func failpoint() func(string) { return nil }
