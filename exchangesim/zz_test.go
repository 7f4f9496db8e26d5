package exchangesim
import ("testing";"encoding/base64";"strings")
func BenchmarkMime(b *testing.B){
		sim, _ := New(Options{})
		defer sim.Close()
 for range b.N {
		c := newContent(&Person{Name: "x", Address: "x@example.com"})
		e := &edit{content: &c, call: &call{Server: sim, zoneID: "UTC"}}
		_ = e.setMime(el("t:MimeContent", base64.StdEncoding.EncodeToString([]byte(meetingICS))))
 }
}
func BenchmarkMimeIANA(b *testing.B){
		sim, _ := New(Options{})
		defer sim.Close()
 for range b.N {
		c := newContent(&Person{Name: "x", Address: "x@example.com"})
		e := &edit{content: &c, call: &call{Server: sim, zoneID: "UTC"}}
		_ = e.setMime(el("t:MimeContent", base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(meetingICS,"Custom Berlin","Europe/Vienna")))))
 }
}
func BenchmarkNew(b *testing.B){ for range b.N {sim, _ := New(Options{}); sim.Close()}}
func BenchmarkZone(b *testing.B){ for range b.N {mustZone("W. Europe Standard Time")}}
