package wire

import (
	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
)

// A PluginKind says which contract a plugin fulfils.
type PluginKind string

// The kinds of plugins, as they appear in the names of their binaries.
const (
	AuthPlugin    PluginKind = "auth"
	BackendPlugin PluginKind = "backend"
)

// A Description is what a plugin says of itself.
type Description struct {
	Kind          PluginKind
	Name, Version string
	Settings      []Setting
	Auth          AuthTraits // of an auth plugin
}

// AuthTraits tell how an auth plugin's headers may be used; see auth.Plugin.
type AuthTraits struct {
	Schemes       []string
	PerConnection bool
	PerMailbox    bool
	Attempts      int
}

// A Setting is one setting of a plugin, for the operator.
type Setting struct {
	Name             string
	Type             string // string, bool, integer, number, duration, list or map
	Doc              string
	Required, Secret bool
}

func descriptionToProto(d Description) *roomwirev1.DescribeResponse {
	kind := roomwirev1.PluginKind_PLUGIN_KIND_BACKEND
	if d.Kind == AuthPlugin {
		kind = roomwirev1.PluginKind_PLUGIN_KIND_AUTH
	}
	return &roomwirev1.DescribeResponse{
		Kind: kind, Name: utf(d.Name), Version: utf(d.Version), Settings: each(d.Settings, settingToProto),
		Auth: traitsToProto(d.Auth),
	}
}

func descriptionFromProto(p *roomwirev1.DescribeResponse) Description {
	kind := BackendPlugin
	if p.GetKind() == roomwirev1.PluginKind_PLUGIN_KIND_AUTH {
		kind = AuthPlugin
	}
	return Description{
		Kind: kind, Name: p.GetName(), Version: p.GetVersion(), Settings: each(p.GetSettings(), settingFromProto),
		Auth: traitsFromProto(p.GetAuth()),
	}
}

func settingToProto(s Setting) *roomwirev1.Setting {
	return &roomwirev1.Setting{
		Name: utf(s.Name), Type: utf(s.Type), Doc: utf(s.Doc), Required: s.Required, Secret: s.Secret,
	}
}

func settingFromProto(p *roomwirev1.Setting) Setting {
	return Setting{
		Name: p.GetName(), Type: p.GetType(), Doc: p.GetDoc(), Required: p.GetRequired(), Secret: p.GetSecret(),
	}
}

func traitsToProto(t AuthTraits) *roomwirev1.AuthTraits {
	return &roomwirev1.AuthTraits{
		Schemes: each(t.Schemes, utf), PerConnection: t.PerConnection, PerMailbox: t.PerMailbox,
		Attempts: int32(t.Attempts),
	}
}

func traitsFromProto(p *roomwirev1.AuthTraits) AuthTraits {
	return AuthTraits{
		Schemes: p.GetSchemes(), PerConnection: p.GetPerConnection(), PerMailbox: p.GetPerMailbox(),
		Attempts: int(p.GetAttempts()),
	}
}
