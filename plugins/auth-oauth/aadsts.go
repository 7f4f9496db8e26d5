package main

import "github.com/roomwire/roomwire/sdk/fault"

// An advice is what a person has to know of one of Entra's error codes (Microsoft: "Microsoft Entra authentication and
// authorization error codes"). In braces stand: {tenant}, {app}, {login}, {cloud}, {scope}, {credential} (the setting that was used),
// {ended} (when it ended, if that is known), {thumbprint}, {hint} (of the secret).
type advice struct {
	kind fault.Kind
	text string
	// next: another credential of the app may be accepted.
	next bool
}

// The places in Entra's portal.
const (
	portal  = "Entra admin center, App registrations"
	secrets = portal + ", the app, Certificates & secrets"
	grants  = portal + ", the app, API permissions"
)

// advices returns what to say, by AADSTS number.
func advices() map[int]advice {
	const (
		un   = fault.Unauthorized
		away = fault.Unavailable
	)
	noTenant := advice{kind: un, text: "there is no tenant {tenant} in the cloud {cloud}: tenant_id must be the directory (tenant) id of " +
		"the app's overview page (" + portal + ") or a verified domain of the tenant, and cloud the one that the tenant is in"}
	badTenant := advice{kind: un, text: "{tenant} is no tenant id: tenant_id must be the directory (tenant) id of the app's overview page (" +
		portal + ") or a verified domain of the tenant"}
	noApp := advice{kind: un, text: "there is no app {app} in the tenant {tenant}: check that app_id is the application (client) id, " +
		"not the object id or the secret's id, and that tenant_id is the app's tenant (" + portal + "); an app of another tenant must be " +
		"consented to in this one first"}
	noPrincipal := advice{kind: un, text: "the app {app} is not known in the tenant {tenant}: an administrator of that tenant must consent to it " +
		"once ({login}/{tenant}/adminconsent?client_id={app})"}
	disabled := advice{kind: un, text: "the app {app} is disabled: enable it (Entra admin center, Enterprise applications, the app, " +
		"Properties, \"Enabled for users to sign-in?\"), or find out who disabled it and why"}
	badSecret := advice{kind: un, next: true, text: "{credential} is not a secret of the app {app}{hint}: create a new one (" + secrets +
		") and copy its Value, which is shown once, not its Secret ID"}
	ended := advice{kind: un, next: true, text: "{credential} of the app {app} has expired{ended}: create a new secret (" + secrets +
		"), set it as client_secret, and note its end in client_secret_expires"}
	badCert := advice{kind: un, next: true, text: "the certificate of certificate_file (thumbprint {thumbprint}) is not registered for the app {app}: " +
		"upload its public part, a .cer file (" + secrets + ", Certificates)"}
	endedCert := advice{kind: un, next: true, text: "the certificate of certificate_file (thumbprint {thumbprint}) is not valid now{ended}: make a new one, " +
		"upload its public part (" + secrets + ", Certificates), and set certificate_file"}
	revoked := advice{kind: un, next: true, text: "the certificate of certificate_file (thumbprint {thumbprint}) was revoked: make a new one, " +
		"upload its public part (" + secrets + ", Certificates), and set certificate_file"}
	weakKey := advice{kind: un, next: true, text: "the key of certificate_file is too weak for Entra: make a certificate with an RSA key of 2048 bits or more, " +
		"and upload its public part (" + secrets + ", Certificates)"}
	badLogin := advice{kind: un, text: "the login server says that the proof which was signed with the certificate is for another server: " +
		"check cloud and authority; a proxy that answers under another name may be the reason"}
	restricted := advice{kind: un, text: "the proxy on the way to {login} lets nobody log in to the tenant {tenant} (tenant restrictions): " +
		"have its administrator add the tenant, or lead this host's requests around it"}
	clock := advice{kind: un, text: "the login server does not accept the time of the proof that was signed with the certificate: " +
		"set this machine's clock right (time and time zone; use NTP)"}
	access := advice{kind: un, text: "a Conditional Access policy of the tenant {tenant} blocks the app {app}: the tenant's administrator finds which one in " +
		"the sign-in logs (Entra admin center, Monitoring, Sign-in logs, Service principal sign-ins), and excludes the app or this host's address"}
	noResource := advice{kind: un, text: "the tenant {tenant} does not know the service of {scope}: check cloud and the URL; in a tenant without " +
		"Exchange Online licences there is none"}
	offResource := advice{kind: un, text: "the service of {scope} is disabled in the tenant {tenant}: enable it (Entra admin center, Enterprise " +
		"applications, Application type: Microsoft Applications)"}
	consent := advice{kind: un, text: "nobody has consented to the permissions of the app {app}: add the application permission (not a delegated one) and " +
		"press \"Grant admin consent\" (" + grants + ")"}
	otherCloud := advice{kind: un, text: "the tenant {tenant} is in another Microsoft cloud than {cloud}: set cloud to global, usgov, usgov-dod or china"}
	badScope := advice{kind: un, text: "the login server knows no {scope}: check cloud and the URL"}
	public := advice{kind: un, text: "the login server takes the app {app} for one without a secret: in " + portal + ", the app, Authentication, it must be " +
		"of the platform Web, not a public client only"}
	retry := advice{kind: away, text: "the login server {login} has a fault of its own that passes"}
	busy := advice{kind: fault.Throttled, text: "the login server {login} asks for a pause: too many requests of the app {app} or of its tenant"}
	return map[int]advice{
		90002: noTenant, 50128: noTenant, 50059: noTenant, 90019: noTenant, 900023: badTenant,
		700016: noApp, 700011: noApp, 70001: noApp, 7000229: noPrincipal, 7000112: disabled, 1000031: disabled,
		7000215: badSecret, 70002: badSecret, 7000222: ended,
		700027: badCert, 700021: badCert, 700030: badCert, 50012: badCert, 50027: badCert, 7000214: revoked, 7000277: revoked,
		1000502: endedCert, 7000274: endedCert, 50032: weakKey, 700024: clock, 500133: clock, 700023: badLogin,
		53003: access, 53000: access, 53001: access, 53002: access, 50131: access, 530032: access, 530035: access, 500021: restricted, 500022: restricted,
		500011: noResource, 50001: noResource, 650052: noResource, 650054: noResource, 500014: offResource,
		65001: consent, 65005: consent, 650056: consent, 650057: consent, 90008: consent, 90094: consent, 501051: consent,
		90038: otherCloud, 90051: otherCloud, 900382: otherCloud, 900432: otherCloud, 70011: badScope, 28002: badScope, 1002012: badScope,
		7000218: public, 700025: public,
		90033: retry, 90006: retry, 90012: retry, 90024: retry, 90090: retry, 90091: retry, 50000: retry, 50033: retry, 90055: busy, 50196: busy,
	}
}
