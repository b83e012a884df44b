// Lists what `ippool-webhook audit` lists and keeps it, as the informers of a controller do: typed objects, in pages of
// 500, each kind in a goroutine of its own. Pods come as protobuf, as controller-runtime asks for them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	nad "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/client/clientset/versioned"
	whereabouts "github.com/k8snetworkplumbingwg/whereabouts/pkg/generated/clientset/versioned"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/pager"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the cluster")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	// An informer is not held up by the limit for requests of a client, which is far above its pages.
	config.QPS = -1
	lists := lists(config)
	stores := make([]cache.Store, len(lists))
	var group errgroup.Group
	for i, list := range lists {
		stores[i] = cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{
			cache.NamespaceIndex: cache.MetaNamespaceIndexFunc,
		})
		group.Go(func() error { return fill(stores[i], list) })
	}
	if err := group.Wait(); err != nil {
		log.Fatal(err)
	}
	kept := 0
	for _, store := range stores {
		kept += len(store.ListKeys())
	}
	fmt.Println(kept)
}

// fill keeps every object of a kind. Items are copied out of their page, as a reflector does, so that an object that is
// kept does not keep its page.
func fill(store cache.Store, list pager.ListPageFunc) error {
	pages := pager.New(list)
	pages.PageSize = 500
	return pages.EachListItemWithAlloc(context.Background(), metav1.ListOptions{}, func(object runtime.Object) error {
		if accessor, err := meta.Accessor(object); err != nil || accessor.GetName() == "" {
			return fmt.Errorf("an object without a name: %v", err)
		}
		return store.Add(object)
	})
}

func lists(config *rest.Config) []pager.ListPageFunc {
	of := whereabouts.NewForConfigOrDie(config).WhereaboutsV1alpha1()
	attachments := nad.NewForConfigOrDie(config).K8sCniCncfIoV1()
	protobuf := rest.CopyConfig(config)
	protobuf.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	protobuf.ContentType = runtime.ContentTypeProtobuf
	core := kubernetes.NewForConfigOrDie(protobuf).CoreV1()
	return []pager.ListPageFunc{
		page(of.IPPools("").List),
		page(of.OverlappingRangeIPReservations("").List),
		page(of.NodeSlicePools("").List),
		page(attachments.NetworkAttachmentDefinitions("").List),
		page(core.Pods("").List),
	}
}

func page[L runtime.Object](list func(context.Context, metav1.ListOptions) (L, error)) pager.ListPageFunc {
	return func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return list(ctx, options)
	}
}
