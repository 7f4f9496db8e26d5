package config

import (
	"bytes"
	"os"
	"testing"
)

func FuzzRoomsFile(f *testing.F) {
	f.Add([]byte(roomsOnPremises))
	f.Add([]byte("\xff\xfe<\x00"))
	f.Add([]byte("<RoomsAppSettings><add key='a' value='b'/><add key=\"a\""))
	f.Add([]byte("<!DOCTYPE a [<!ENTITY b \"c\">]><RoomsAppSettings>&b;</RoomsAppSettings>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := parseRooms("f", data)
		_ = file.diags.String()
		for _, d := range file.diags {
			if d.Summary == "" || d.Remedy == "" || d.Line < 1 {
				t.Errorf("finding without words or place: %+v", d)
			}
		}
		if bytes.Contains(data, []byte("<!DOCTYPE")) && !file.unread && bytes.HasPrefix(data, []byte("<!DOCTYPE")) {
			t.Error("a document type declaration was taken")
		}
	})
}

func FuzzHCLFile(f *testing.F) {
	example, err := os.ReadFile("../../../configs/roomwire.hcl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("sync_mode \"A\" {\n  password = \"hunter2\n"))
	f.Add([]byte("a = [for x in [1]: env(\"X\")]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := parseHCL("f", data, functions(t.TempDir(), newEnvironment(nil)))
		for _, d := range file.diags {
			if d.Summary == "" || d.Remedy == "" {
				t.Errorf("finding without words: %+v", d)
			}
		}
	})
}
