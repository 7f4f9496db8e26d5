package endpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
)

// pageStyle is the page's only decoration; the policy allows this text and nothing else.
const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}` +
	`.up{border-left:.4rem solid #2e7d32;padding-left:1rem}.note{border-left:.4rem solid #b26a00;padding-left:1rem}`

var pagePolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" +
	styleHash() + "'"

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Roomwire notification service</title><style>` + pageStyle + `</style></head>
<body>
<h1>Roomwire</h1>
<p class="up">The notification service is up.</p>
{{if .Tenant}}<p class="up">Tenant: <strong>{{.Tenant}}</strong></p>
{{else if .Named}}<p class="note">The address names a tenant that is not served here. Check its spelling: the part right after the question mark is the tenant.</p>
{{else}}<p class="note">The address names no tenant. The server calls it with the tenant after a question mark, as in <code>{{.Path}}?Default</code>.</p>
{{end}}<p>Calendar servers (Microsoft Exchange, Microsoft 365) send their messages to this address. Seeing this page from outside your company's network means that they can arrive. There is nothing to do here.</p>
</body>
</html>
`))

// page is what an administrator sees in a browser. It tells neither versions nor which tenants there are.
func (h *handler) page(w http.ResponseWriter, r *http.Request, at route) {
	named, _ := parseQuery(r.URL.RawQuery)
	tenant, _ := h.tenant(named)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, struct{ Tenant, Named, Path string }{tenant, named, at.path}); err != nil {
		h.Log.Error("the endpoint's page could not be made", "error", err)
		plain(w, http.StatusInternalServerError, "error")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // net/http drops the body of a HEAD
}
