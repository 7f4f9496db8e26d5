package exchangesim

import "testing"

func TestConvertIdTellsWhoseMailboxAnIdBelongsTo(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	root := c.must(`<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="root"/></m:FolderIds></m:GetFolder>`).child("Folders", "Folder", "FolderId").attr("Id")
	n := c.must(`<m:ConvertId DestinationFormat="EwsId"><m:SourceIds><t:AlternateId Format="EwsId" Id="` + root + `" Mailbox="blah@blah.com"/></m:SourceIds></m:ConvertId>`)
	if got := n.child("AlternateId"); got.attr("Mailbox") != "alice@example.com" || got.attr("Id") != root {
		t.Errorf("AlternateId = %+v", got)
	}
}
