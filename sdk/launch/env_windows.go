package launch

// systemEnv is what every process of the system needs to work: without SystemRoot there is no Winsock.
func systemEnv(getenv func(string) string) []string {
	var env []string
	for _, name := range []string{"SystemRoot", "SystemDrive", "TEMP", "TMP"} {
		if v := getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
