//go:build !offline

package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/charmbracelet/x/exp/golden"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

func TestPoliciesAsPrinted(t *testing.T) {
	p := publish.NewPolicies(publish.PolicyOptions{Bucket: "updates.example", Prefix: "tool/", Region: "eu-central-1"})
	for _, name := range []string{"publisher", "refresher", "client", "bucket"} {
		t.Run(name, func(t *testing.T) {
			policy, err := p.ByName(name)
			must(t, err)
			text, err := policy.Text()
			must(t, err)
			golden.RequireEqual(t, text)
		})
	}
	if _, err := p.ByName("owner"); err == nil {
		t.Error("an unknown policy was printed")
	}
}

func TestTerraformAsPrinted(t *testing.T) {
	text, err := publish.NewPolicies(publish.PolicyOptions{
		Bucket: "updates.example", Prefix: "tool/", Private: true, Admins: []string{"arn:aws:iam::111122223333:role/break-glass"},
	}).Terraform()
	must(t, err)
	golden.RequireEqual(t, text)
}

func TestPartitionsFollowTheRegion(t *testing.T) {
	for region, want := range map[string]string{"": "arn:aws:", "eu-west-1": "arn:aws:", "cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:"} {
		p := publish.NewPolicies(publish.PolicyOptions{Bucket: "b-b", Region: region})
		if got := p.Client.Statement[0].Resource[0]; !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", region, got)
		}
	}
}

// A guarded bucket enforces the policies under test: each role's statements as the server takes them, on the bucket.
type guarded struct {
	*remote
	policies *publish.Policies
}

// newGuarded publishes a repository and puts the policies in force for three users.
func newGuarded(t *testing.T) *guarded {
	r := newRemote(t, newBucket(t), "tool")
	r.genesis()
	g := &guarded{r, publish.NewPolicies(publish.PolicyOptions{Bucket: r.bucket.name, Prefix: "tool/"})}
	all := &publish.Policy{Version: "2012-10-17"}
	for user, policy := range map[string]*publish.Policy{"publisher": g.policies.Publisher, "refresher": g.policies.Refresher, "reader": g.policies.Client} {
		name := user + "-of-" + r.bucket.name
		r.bucket.server.user(t, name)
		for _, s := range policy.Statement {
			s.Principal = map[string]any{"AWS": []string{name}}
			s.Sid += user
			all.Statement = append(all.Statement, s)
		}
	}
	for _, s := range g.policies.Bucket.Statement {
		if enforceable(s) {
			all.Statement = append(all.Statement, s)
		}
	}
	text, err := all.Text()
	must(t, err)
	r.bucket.policy(text)
	return g
}

// enforceable leaves out what the server under test does not know (conditions on conditional writes) and what would lock the test out,
// which speaks plain http on the loopback interface.
func enforceable(s publish.Statement) bool {
	return s.Sid != "EncryptedConnectionsOnly" && s.Sid != "NumberedFilesAreCreatedOnce" && s.Sid != "TheTimestampIsSwapped"
}

// user makes an account that may do nothing by itself.
func (s *server) user(t testing.TB, name string) {
	t.Helper()
	out, err := exec.Command(s.binary, "admin", "--endpoint-url", s.url, "--access", rootAccess, "--secret", rootSecret,
		"create-user", "--access", name, "--secret", "secret-of-"+name, "--role", "user").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, s.profile(name, name, "secret-of-"+name))
}

func (g *guarded) as(user string) *publish.Bucket {
	g.t.Helper()
	s, err := publish.OpenBucket(context.Background(), publish.Place{
		Bucket: g.bucket.name, Prefix: "tool/", Endpoint: g.bucket.server.url, PathLike: true, Region: "us-east-1",
		Profile: user + "-of-" + g.bucket.name,
	})
	must(g.t, err)
	return s
}

func TestPoliciesAllowWhatIsNeeded(t *testing.T) {
	g := newGuarded(t)
	ctx := context.Background()
	g.file("tool.tar", "tool 2")
	g.file("large", strings.Repeat("large", 4<<20))
	b := g.signed(tuf.Targets)
	g.pub.Store = g.as("publisher")
	_, err := g.pub.Push(ctx, b, g.targetsDir(), publish.PushOptions{})
	must(t, err)
	g.pub.Store = g.as("refresher")
	for range 2 { // the second one signs a snapshot too
		g.now = g.now.Add(4 * day)
		_, err = g.pub.Refresh(ctx)
		must(t, err)
	}
	g.pub.Store = g.as("reader")
	_, err = g.pub.Status(ctx)
	must(t, err)
	if got, err := g.download(g.fresh(), "tool.tar"); err != nil || got != "tool 2" {
		t.Errorf("anybody gets %q, %v", got, err)
	}
}

func TestPoliciesRefuseEverythingElse(t *testing.T) {
	g := newGuarded(t)
	ctx := context.Background()
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, publish.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refresher, reader, publisher := g.as("refresher"), g.as("reader"), g.as("publisher")
	x := publish.Bytes([]byte("x"))
	refused("the refresher puts targets", refresher.PutNew(ctx, "targets/x", x))
	refused("the refresher puts a root", refresher.PutNew(ctx, "metadata/2.root.json", x))
	refused("the refresher puts targets metadata", refresher.PutNew(ctx, "metadata/2.targets.json", x))
	refused("a reader puts", reader.PutNew(ctx, "targets/x", x))
	refused("the publisher puts a stray file", publisher.PutNew(ctx, "index.html", x))
	refused("the publisher puts a mark", publisher.PutNew(ctx, "PRACTICE.txt", x))
	for _, user := range []string{"publisher", "refresher", "reader"} {
		name := user + "-of-" + g.bucket.name
		api := g.bucket.server.client(name, "secret-of-"+name)
		for _, key := range []string{"tool/metadata/1.root.json", "tool/metadata/timestamp.json"} {
			if _, err := api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &g.bucket.name, Key: &key}); err == nil {
				t.Errorf("%s has deleted %s", user, key)
			}
		}
		if _, err := api.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &g.bucket.name, Policy: aws.String("{}")}); err == nil {
			t.Errorf("%s has changed the policy", user)
		}
	}
	for method, url := range map[string]string{
		http.MethodGet: g.bucket.server.url + "/" + g.bucket.name + "?list-type=2",
		http.MethodPut: g.bucket.server.url + "/" + g.bucket.name + "/tool/targets/x",
	} {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("x"))
		must(t, err)
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("anybody gets %d for %s", answer.StatusCode, method)
		}
	}
}

func TestTheBucketRefusesPlainHTTP(t *testing.T) {
	g := newGuarded(t)
	var tls publish.Statement
	for _, s := range g.policies.Bucket.Statement {
		if s.Sid == "EncryptedConnectionsOnly" {
			tls = s
		}
	}
	text, err := json.Marshal(publish.Policy{Version: "2012-10-17", Statement: []publish.Statement{tls, {
		Sid: "read", Effect: "Allow", Principal: "*", Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::" + g.bucket.name + "/*"},
	}}})
	must(t, err)
	g.bucket.policy(string(text))
	answer, err := http.Get(g.bucket.server.url + "/" + g.bucket.name + "/tool/metadata/timestamp.json")
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("plain http gets %d", answer.StatusCode)
	}
}
