package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/applyconfigurations"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/printers"
	printersinternal "k8s.io/kubernetes/pkg/printers/internalversion"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/event"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type Case struct {
	Op, Resource, Group, Version, Manager, Subresource string
	Namespace                                          string
	Object, Before, Patch                              json.RawMessage
	Strict                                             bool
}

type strategies struct {
	create rest.RESTCreateStrategy
	update rest.RESTUpdateStrategy
	status rest.RESTUpdateStrategy
}

var all = map[string]strategies{
	"deployments":              {deployment.Strategy, deployment.Strategy, deployment.StatusStrategy},
	"replicasets":              {replicaset.Strategy, replicaset.Strategy, replicaset.StatusStrategy},
	"pods":                     {pod.Strategy, pod.Strategy, pod.StatusStrategy},
	"services":                 {service.Strategy, service.Strategy, service.StatusStrategy},
	"namespaces":               {namespace.Strategy, namespace.Strategy, namespace.StatusStrategy},
	"configmaps":               {configmap.Strategy, configmap.Strategy, nil},
	"events":                   {event.Strategy, event.Strategy, nil},
	"resourcequotas":           {resourcequota.Strategy, resourcequota.Strategy, resourcequota.StatusStrategy},
	"nodes":                    {node.Strategy, node.Strategy, node.StatusStrategy},
	"horizontalpodautoscalers": {horizontalpodautoscaler.Strategy, horizontalpodautoscaler.Strategy, horizontalpodautoscaler.StatusStrategy},
	"poddisruptionbudgets":     {poddisruptionbudget.Strategy, poddisruptionbudget.Strategy, poddisruptionbudget.StatusStrategy},
	"endpointslices":           {endpointslice.Strategy, endpointslice.Strategy, nil},
	"leases":                   {lease.Strategy, lease.Strategy, nil},
}

func gv(c Case) schema.GroupVersion { return schema.GroupVersion{Group: c.Group, Version: c.Version} }

func decode(c Case, raw []byte) (runtime.Object, error) {
	codecs := legacyscheme.Codecs
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), "application/json")
	s := info.Serializer
	if c.Strict {
		s = info.StrictSerializer
	}
	obj, _, err := codecs.DecoderToVersion(s, schema.GroupVersion{Group: c.Group, Version: runtime.APIVersionInternal}).Decode(raw, nil, nil)
	return obj, err
}

func encode(c Case, obj runtime.Object) json.RawMessage {
	codecs := legacyscheme.Codecs
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), "application/json")
	out, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, gv(c)), obj)
	if err != nil {
		return nil
	}
	return out
}

func fail(err error) any {
	if st, ok := err.(apierrors.APIStatus); ok {
		s := st.Status()
		return map[string]any{"status": s}
	}
	return map[string]any{"error": err.Error()}
}

func run(c Case) (res any) {
	defer func() {
		if r := recover(); r != nil {
			res = map[string]any{"panic": fmt.Sprint(r)}
		}
	}()
	ctx := genericapirequest.WithNamespace(context.Background(), c.Namespace)
	ctx = genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{APIGroup: c.Group, APIVersion: c.Version, Resource: c.Resource})
	switch c.Op {
	case "decode":
		obj, err := decode(c, c.Object)
		if err != nil {
			return fail(err)
		}
		return map[string]any{"object": encode(c, obj)}
	case "create":
		obj, err := decode(c, c.Object)
		if err != nil {
			return fail(err)
		}
		if m, err := meta.Accessor(obj); err == nil {
			rest.FillObjectMetaSystemFields(m)
			if m.GetGenerateName() != "" && m.GetName() == "" {
				m.SetName(m.GetGenerateName() + "abcde")
			}
		}
		if err := rest.BeforeCreate(all[c.Resource].create, ctx, obj); err != nil {
			return fail(err)
		}
		return map[string]any{"object": encode(c, obj)}
	case "update":
		old, err := decode(c, c.Before)
		if err != nil {
			return fail(err)
		}
		obj, err := decode(c, c.Object)
		if err != nil {
			return fail(err)
		}
		s := all[c.Resource].update
		if c.Subresource == "status" {
			s = all[c.Resource].status
		}
		if err := rest.BeforeUpdate(s, ctx, obj, old); err != nil {
			return fail(err)
		}
		return map[string]any{"object": encode(c, obj)}
	case "jsonpatch":
		p, err := jsonpatch.DecodePatch(c.Patch)
		if err != nil {
			return fail(err)
		}
		out, err := p.Apply(c.Before)
		if err != nil {
			return fail(err)
		}
		return map[string]any{"object": json.RawMessage(out)}
	case "mergepatch":
		out, err := jsonpatch.MergePatch(c.Before, c.Patch)
		if err != nil {
			return fail(err)
		}
		return map[string]any{"object": json.RawMessage(out)}
	case "strategic":
		var gvk struct{ Kind string }
		json.Unmarshal(c.Before, &gvk)
		like, err := clientscheme.Scheme.New(gv(c).WithKind(gvk.Kind))
		if err != nil {
			return fail(err)
		}
		out, err := strategicpatch.StrategicMergePatch(c.Before, c.Patch, like)
		if err != nil {
			return fail(err)
		}
		return map[string]any{"object": json.RawMessage(out)}
	case "managed":
		obj, err := decode(c, c.Object)
		if err != nil {
			return fail(err)
		}
		kind := obj.GetObjectKind().GroupVersionKind()
		var gvk struct{ Kind string }
		json.Unmarshal(c.Object, &gvk)
		kind = gv(c).WithKind(gvk.Kind)
		var old runtime.Object
		if len(c.Before) > 0 && string(c.Before) != "null" {
			if old, err = decode(c, c.Before); err != nil {
				return fail(err)
			}
		} else {
			old, _ = legacyscheme.Scheme.New(schema.GroupVersion{Group: c.Group, Version: runtime.APIVersionInternal}.WithKind(gvk.Kind))
		}
		reset := map[fieldpath.APIVersion]fieldpath.Filter{}
		s := any(all[c.Resource].update)
		if c.Subresource == "status" {
			s = all[c.Resource].status
		}
		if r, ok := s.(rest.ResetFieldsStrategy); ok {
			reset = fieldpath.NewExcludeFilterSetMap(r.GetResetFields())
		}
		fm, err := managedfields.NewDefaultFieldManager(applyconfigurations.NewTypeConverter(clientscheme.Scheme), legacyscheme.Scheme, legacyscheme.Scheme, legacyscheme.Scheme, kind, schema.GroupVersion{Group: c.Group, Version: runtime.APIVersionInternal}, c.Subresource, reset)
		if err != nil {
			return fail(err)
		}
		made, err := fm.Update(old, obj, c.Manager)
		if err != nil {
			return fail(err)
		}
		var out struct {
			Metadata struct {
				ManagedFields []metav1.ManagedFieldsEntry `json:"managedFields"`
			} `json:"metadata"`
		}
		json.Unmarshal(encode(c, made), &out)
		return map[string]any{"managed": out.Metadata.ManagedFields}
	case "table":
		obj, err := decode(c, c.Object)
		if err != nil {
			return fail(err)
		}
		t, err := printers.NewTableGenerator().With(printersinternal.AddHandlers).GenerateTable(obj, printers.GenerateOptions{Wide: true})
		if err != nil {
			return fail(err)
		}
		for i := range t.Rows {
			t.Rows[i].Object = runtime.RawExtension{}
		}
		for i := range t.ColumnDefinitions {
			if !strings.Contains(os.Getenv("FULL"), "1") {
				t.ColumnDefinitions[i].Description = ""
			}
		}
		return map[string]any{"table": t}
	}
	return map[string]any{"error": "no such op " + c.Op}
}

func main() {
	var cases []Case
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	var out []any
	for _, c := range cases {
		out = append(out, run(c))
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.Encode(out)
}
