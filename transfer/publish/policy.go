package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// PolicyOptions say for whom policies are made.
type PolicyOptions struct {
	Bucket string
	Prefix string // "" or "some/prefix/"
	Region string // tells the partition: aws, aws-cn or aws-us-gov
	// Private leaves out public reading: a CDN reads with the client policy.
	Private bool
	// ListPublic lets everybody list the names, so that clients get 404 and not 403 for what is missing.
	ListPublic bool
	// Admins are the principals (ARN, * allowed) that may delete and overwrite all the same: for emergencies. None is the default.
	Admins []string
	// Practice lets the publisher mark the store as one for rehearsals.
	Practice bool
}

// A Policy is what the cloud calls a policy document.
type Policy struct {
	Version   string
	Statement []Statement
}

// A Statement allows or denies.
type Statement struct {
	Sid       string
	Effect    string
	Principal any `json:",omitempty"` // in bucket policies: "*"
	Action    []string
	Resource  []string
	Condition map[string]map[string]any `json:",omitempty"`
}

// Policies are the least that each one needs, and what the bucket holds against everybody.
type Policies struct {
	Publisher *Policy `json:"publisher"` // identity: pushes
	Refresher *Policy `json:"refresher"` // identity: keeps the timestamp fresh, and nothing else
	Client    *Policy `json:"client"`    // identity: reads, for a private bucket or its CDN
	Bucket    *Policy `json:"bucket"`    // resource: on the bucket
	o         PolicyOptions
}

// What may be done, and the conditions of it.
const (
	policyVersion = "2012-10-17"
	allow         = "Allow"
	deny          = "Deny"
	everybody     = "*"
)

// NewPolicies makes the policies of one store.
func NewPolicies(o PolicyOptions) *Policies {
	p := &Policies{o: o}
	p.Publisher, p.Refresher, p.Client, p.Bucket = p.publisher(), p.refresher(), p.client(), p.bucket()
	return p
}

// ByName returns one policy: publisher, refresher, client or bucket.
func (p *Policies) ByName(name string) (*Policy, error) {
	for known, policy := range map[string]*Policy{"publisher": p.Publisher, "refresher": p.Refresher, "client": p.Client, "bucket": p.Bucket} {
		if name == known {
			return policy, nil
		}
	}
	return nil, withHint(fmt.Errorf("policy: %q is not known", name), "say publisher, refresher, client or bucket")
}

// arn names the bucket, or what lies below the store's prefix.
func (p *Policies) arn(names ...string) []string {
	partition := "aws"
	switch {
	case strings.HasPrefix(p.o.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(p.o.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	bucket := "arn:" + partition + ":s3:::" + p.o.Bucket
	if len(names) == 0 {
		return []string{bucket}
	}
	all := make([]string, 0, len(names))
	for _, name := range names {
		all = append(all, bucket+"/"+p.o.Prefix+name)
	}
	return all
}

// everything is all that clients read.
func (p *Policies) everything() []string {
	return p.arn(metadataDir+"*", targetsDir+"*", practiceMark)
}

// numbered is what is created once. The timestamp's name has one dot less.
func (p *Policies) numbered() []string {
	return p.arn(metadataDir+"*.*.json", targetsDir+"*", practiceMark)
}

// list lets somebody be told 404, and not 403, of what is missing. It has no condition on the
// prefix: a read of a missing object carries none, and would get 403 again.
func (p *Policies) list() Statement {
	return Statement{Sid: "SeeWhatIsMissing", Effect: allow, Action: []string{"s3:ListBucket"}, Resource: p.arn()}
}

func (p *Policies) publisher() *Policy {
	create := p.arn(metadataDir+"*", targetsDir+"*")
	if p.o.Practice {
		create = p.everything()
	}
	return &Policy{policyVersion, []Statement{
		{Sid: "Read", Effect: allow, Action: []string{"s3:GetObject"}, Resource: p.everything()},
		{
			Sid: "Publish", Effect: allow, Resource: create,
			Action: []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		},
		p.list(),
	}}
}

func (p *Policies) refresher() *Policy {
	return &Policy{policyVersion, []Statement{
		{Sid: "Read", Effect: allow, Action: []string{"s3:GetObject"}, Resource: p.arn(metadataDir+"*", practiceMark)},
		{Sid: "Refresh", Effect: allow, Action: []string{"s3:PutObject"}, Resource: p.arn(timestampName, metadataDir+"*.snapshot.json")},
		p.list(),
	}}
}

func (p *Policies) client() *Policy {
	return &Policy{policyVersion, []Statement{
		{Sid: "Read", Effect: allow, Action: []string{"s3:GetObject"}, Resource: p.everything()},
		p.list(),
	}}
}

// bucket is what holds against everybody, whatever else they are allowed: a denial wins.
func (p *Policies) bucket() *Policy {
	// A write counts when it makes an object: parts of an upload carry no condition, its completion does.
	unless := func(missing ...string) map[string]map[string]any {
		null := map[string]any{}
		for _, m := range missing {
			null["s3:"+m] = "true"
		}
		return p.exceptAdmins(map[string]map[string]any{"Null": null, "Bool": {"s3:ObjectCreationOperation": "true"}})
	}
	all := &Policy{policyVersion, []Statement{
		{
			Sid: "EncryptedConnectionsOnly", Effect: deny, Principal: everybody, Action: []string{"s3:*"},
			Resource: append(p.arn(), p.arn("*")...), Condition: map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}},
		},
		{
			Sid: "NumberedFilesAreCreatedOnce", Effect: deny, Principal: everybody, Action: []string{"s3:PutObject"},
			Resource: p.numbered(), Condition: unless("if-none-match"),
		},
		{
			Sid: "TheTimestampIsSwapped", Effect: deny, Principal: everybody, Action: []string{"s3:PutObject"},
			Resource: p.arn(timestampName), Condition: unless("if-match", "if-none-match"),
		},
		{
			Sid: "NothingIsDeleted", Effect: deny, Principal: everybody, Action: []string{"s3:DeleteObject", "s3:DeleteObjectVersion"},
			Resource: p.arn("*"), Condition: p.exceptAdmins(nil),
		},
	}}
	if !p.o.Private {
		all.Statement = append(all.Statement, Statement{
			Sid: "EverybodyReads", Effect: allow, Principal: everybody, Action: []string{"s3:GetObject"}, Resource: p.everything(),
		})
	}
	if p.o.ListPublic {
		list := p.list()
		list.Sid, list.Principal = "EverybodySeesWhatIsMissing", everybody
		all.Statement = append(all.Statement, list)
	}
	return all
}

// publicReading lets everybody read a whole bucket, and see what is missing in it.
func publicReading(bucket, region string) *Policy {
	p := &Policies{o: PolicyOptions{Bucket: bucket, Region: region}}
	list := p.list()
	list.Sid, list.Principal = "EverybodySeesWhatIsMissing", everybody
	return &Policy{policyVersion, []Statement{
		{Sid: "EverybodyReads", Effect: allow, Principal: everybody, Action: []string{"s3:GetObject"}, Resource: p.arn("*")},
		list,
	}}
}

func (p *Policies) exceptAdmins(conditions map[string]map[string]any) map[string]map[string]any {
	if len(p.o.Admins) == 0 {
		return conditions
	}
	if conditions == nil {
		conditions = map[string]map[string]any{}
	}
	conditions["ArnNotLike"] = map[string]any{"aws:PrincipalArn": p.o.Admins}
	return conditions
}

// Text is the policy as the cloud's console and tools take it.
func (p *Policy) Text() (string, error) {
	raw, err := marshalPlain(p)
	if err != nil {
		return "", fmt.Errorf("print policy: %w", err)
	}
	return raw, nil
}

// marshalPlain writes JSON for people: with & and > as they are.
func marshalPlain(v any) (string, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return text.String(), err
}
