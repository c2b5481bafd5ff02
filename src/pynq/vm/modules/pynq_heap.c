// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dma_heap/reserved for kernels without DMA-BUF heaps: buffers out of the reserved memory that the
 * "memory-region" of the node "pynq,reserved-heap" names, contiguous, zeroed, the first one at its start.
 *
 * The interface is that of the kernel's heaps (uapi/linux/dma-heap.h, dma-buf.h). The sync ioctl also
 * maintains the caches for the node's own device, so that it has an effect before anybody attaches.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/genalloc.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <uapi/linux/dma-heap.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

struct heap {
	struct device *dev;
	struct gen_pool *pool; /* of physical addresses */
	struct cdev cdev;
	dev_t number;
};

struct heap_buffer {
	struct heap *heap;
	phys_addr_t phys;
	size_t size;
	dma_addr_t bus; /* for the heap's own device */
};

static struct class *heap_class;

static int heap_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct heap_buffer *buffer = dmabuf->priv;
	struct sg_table *table;
	int ret;

	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	ret = sg_alloc_table(table, 1, GFP_KERNEL);
	if (ret) {
		kfree(table);
		return ret;
	}
	sg_set_page(table->sgl, phys_to_page(buffer->phys), buffer->size, 0);
	attachment->priv = table;
	return 0;
}

static void heap_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct sg_table *table = attachment->priv;

	sg_free_table(table);
	kfree(table);
}

static struct sg_table *heap_map(struct dma_buf_attachment *attachment, enum dma_data_direction direction)
{
	struct sg_table *table = attachment->priv;
	int ret = dma_map_sgtable(attachment->dev, table, direction, 0);

	return ret ? ERR_PTR(ret) : table;
}

static void heap_unmap(struct dma_buf_attachment *attachment, struct sg_table *table,
		       enum dma_data_direction direction)
{
	dma_unmap_sgtable(attachment->dev, table, direction, 0);
}

static int heap_begin_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct heap_buffer *buffer = dmabuf->priv;

	dma_sync_single_for_cpu(buffer->heap->dev, buffer->bus, buffer->size, direction);
	return 0;
}

static int heap_end_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct heap_buffer *buffer = dmabuf->priv;

	dma_sync_single_for_device(buffer->heap->dev, buffer->bus, buffer->size, direction);
	return 0;
}

static int heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct heap_buffer *buffer = dmabuf->priv;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vm_iomap_memory(vma, buffer->phys, buffer->size);
}

static int heap_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct heap_buffer *buffer = dmabuf->priv;

	iosys_map_set_vaddr(map, phys_to_virt(buffer->phys));
	return 0;
}

static void heap_release(struct dma_buf *dmabuf)
{
	struct heap_buffer *buffer = dmabuf->priv;

	dma_unmap_single(buffer->heap->dev, buffer->bus, buffer->size, DMA_BIDIRECTIONAL);
	gen_pool_free(buffer->heap->pool, buffer->phys, buffer->size);
	kfree(buffer);
}

static const struct dma_buf_ops heap_buffer_ops = {
	.attach = heap_attach,
	.detach = heap_detach,
	.map_dma_buf = heap_map,
	.unmap_dma_buf = heap_unmap,
	.begin_cpu_access = heap_begin_access,
	.end_cpu_access = heap_end_access,
	.mmap = heap_mmap,
	.vmap = heap_vmap,
	.release = heap_release,
};

static struct heap_buffer *heap_take(struct heap *heap, size_t size)
{
	struct heap_buffer *buffer;

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->heap = heap;
	buffer->size = size;
	buffer->phys = gen_pool_alloc(heap->pool, size);
	if (!buffer->phys)
		goto free;
	memset(phys_to_virt(buffer->phys), 0, size);
	buffer->bus = dma_map_single(heap->dev, phys_to_virt(buffer->phys), size, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(heap->dev, buffer->bus))
		goto give_back;
	return buffer;

give_back:
	gen_pool_free(heap->pool, buffer->phys, size);
free:
	kfree(buffer);
	return ERR_PTR(-ENOMEM);
}

/* Return a descriptor of a new buffer of size bytes, or an error. */
static int heap_allocate(struct heap *heap, u64 size, u32 fd_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;
	int fd;

	if (!size || size > SIZE_MAX - PAGE_SIZE)
		return -EINVAL;
	buffer = heap_take(heap, PAGE_ALIGN(size));
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	info.exp_name = "reserved";
	info.ops = &heap_buffer_ops;
	info.size = buffer->size;
	info.flags = fd_flags;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		dma_unmap_single(heap->dev, buffer->bus, buffer->size, DMA_BIDIRECTIONAL);
		gen_pool_free(heap->pool, buffer->phys, buffer->size);
		kfree(buffer);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, fd_flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static int heap_open(struct inode *inode, struct file *file)
{
	file->private_data = container_of(inode->i_cdev, struct heap, cdev);
	return 0;
}

static long heap_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct dma_heap_allocation_data data;
	int fd;

	if (command != DMA_HEAP_IOCTL_ALLOC)
		return -ENOTTY;
	if (copy_from_user(&data, (void __user *)argument, sizeof(data)))
		return -EFAULT;
	if (data.fd || data.fd_flags & ~DMA_HEAP_VALID_FD_FLAGS || data.heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return -EINVAL;
	fd = heap_allocate(file->private_data, data.len, data.fd_flags);
	if (fd < 0)
		return fd;
	data.fd = fd;
	/* As in the kernel's heaps: the descriptor is there already, only its number can't be told. */
	return copy_to_user((void __user *)argument, &data, sizeof(data)) ? -EFAULT : 0;
}

static const struct file_operations heap_fops = {
	.owner = THIS_MODULE,
	.open = heap_open,
	.unlocked_ioctl = heap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static int heap_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct reserved_mem *region;
	struct device_node *node;
	struct device *made;
	struct heap *heap;
	int ret;

	node = of_parse_phandle(dev->of_node, "memory-region", 0);
	region = node ? of_reserved_mem_lookup(node) : NULL;
	ret = !region || of_property_read_bool(node, "no-map") ? -EINVAL : 0;
	of_node_put(node);
	if (ret)
		return dev_err_probe(dev, ret, "its memory-region has to be reserved memory without no-map\n");

	heap = devm_kzalloc(dev, sizeof(*heap), GFP_KERNEL);
	if (!heap)
		return -ENOMEM;
	heap->dev = dev;
	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	heap->pool = devm_gen_pool_create(dev, PAGE_SHIFT, NUMA_NO_NODE, NULL);
	if (IS_ERR(heap->pool))
		return PTR_ERR(heap->pool);
	ret = gen_pool_add(heap->pool, region->base, region->size, NUMA_NO_NODE);
	if (ret)
		return ret;
	ret = alloc_chrdev_region(&heap->number, 0, 1, "dma_heap");
	if (ret)
		return ret;
	cdev_init(&heap->cdev, &heap_fops);
	heap->cdev.owner = THIS_MODULE;
	ret = cdev_add(&heap->cdev, heap->number, 1);
	if (ret)
		goto number;
	made = device_create(heap_class, dev, heap->number, heap, "reserved");
	if (IS_ERR(made)) {
		ret = PTR_ERR(made);
		goto cdev;
	}
	platform_set_drvdata(pdev, heap);
	return 0;

cdev:
	cdev_del(&heap->cdev);
number:
	unregister_chrdev_region(heap->number, 1);
	return ret;
}

static void heap_unbind(struct platform_device *pdev)
{
	struct heap *heap = platform_get_drvdata(pdev);

	device_destroy(heap_class, heap->number);
	cdev_del(&heap->cdev);
	unregister_chrdev_region(heap->number, 1);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
static int heap_remove(struct platform_device *pdev)
{
	heap_unbind(pdev);
	return 0;
}
#else
#define heap_remove heap_unbind
#endif

static const struct of_device_id heap_match[] = {
	{ .compatible = "pynq,reserved-heap" },
	{}
};
MODULE_DEVICE_TABLE(of, heap_match);

static struct platform_driver heap_driver = {
	.probe = heap_probe,
	.remove = heap_remove,
	.driver = {
		.name = "pynq_heap",
		.of_match_table = heap_match,
		/* Open files and buffers keep the module, and with it the device: nothing else may unbind it. */
		.suppress_bind_attrs = true,
	},
};

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
static char *heap_devnode(struct device *dev, umode_t *mode)
#else
static char *heap_devnode(const struct device *dev, umode_t *mode)
#endif
{
	return kasprintf(GFP_KERNEL, "dma_heap/%s", dev_name(dev));
}

static int __init heap_init(void)
{
	int ret;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	heap_class = class_create(THIS_MODULE, "dma_heap");
#else
	heap_class = class_create("dma_heap");
#endif
	if (IS_ERR(heap_class))
		return PTR_ERR(heap_class);
	heap_class->devnode = heap_devnode;
	ret = platform_driver_register(&heap_driver);
	if (ret)
		class_destroy(heap_class);
	return ret;
}
module_init(heap_init);

static void __exit heap_exit(void)
{
	platform_driver_unregister(&heap_driver);
	class_destroy(heap_class);
}
module_exit(heap_exit);

MODULE_DESCRIPTION("DMA-BUF heap of reserved memory");
MODULE_LICENSE("GPL");
