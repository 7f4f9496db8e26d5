package login

import "strings"

// page is the body of a 401. It is some kilobytes long, as that of IIS is, so that a client which does not
// read it to the end loses its connection here as it would there.
var page = `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"/>
<title>401 - Unauthorized: Access is denied due to invalid credentials.</title>
<style type="text/css">
` + strings.Repeat("div{margin:0;padding:0;border:0;font:normal .9em Verdana,Arial,Helvetica,sans-serif;color:#222;background:#fff}\n", 40) + `</style>
</head>
<body>
<h1>Server Error</h1>
<h2>401 - Unauthorized: Access is denied due to invalid credentials.</h2>
<h3>You do not have permission to view this directory or page using the credentials that you supplied.</h3>
</body>
</html>
`
