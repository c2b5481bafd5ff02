// SPDX-License-Identifier: GPL-2.0
/*
 * Contiguous buffers for device-tree nodes that are "ikwzm,u-dma-buf".
 *
 * To programs it is the u-dma-buf driver: /dev/NAME to map (O_SYNC: not cached, by sync_mode), and
 * /sys/class/u-dma-buf/NAME/ with the bus address, the size and cache maintenance of a part of it.
 * When a device goes (an overlay is removed), its mappings go first: who touches them gets SIGBUS.
 */
#include <linux/cdev.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/version.h>

#define MINORS 256

enum sync_mode { /* of mappings opened with O_SYNC; with MODE_ALWAYS of all, and 0 and 4 of none */
	MODE_CACHED = 0,
	MODE_NONCACHED = 1,
	MODE_WRITECOMBINE = 2,
	MODE_COHERENT = 3,
	MODE_ALWAYS = 4,
};

struct udmabuf {
	struct device dev; /* in the class; its release frees this */
	struct cdev cdev;
	struct device *parent;
	/*
	 * The memory goes with io and lock. Faults take only lock, and read and write only io: what they
	 * copy from or to may be a mapping of this very buffer.
	 */
	struct mutex io;
	struct mutex lock; /* of what sysfs shows, too */
	bool alive;
	size_t size;
	void *memory;
	dma_addr_t bus;
	unsigned long pfn;
	struct inode *inode; /* whose mapping all files share, so that it can be taken away */
	u32 sync_mode;
	u64 sync_offset;
	u64 sync_size;
	u32 sync_direction; /* 0 both, 1 to the device, 2 from it */
	int sync_owner; /* 0 the processor, 1 the device */
};

static dev_t first;
static struct class *udmabuf_class;
static DEFINE_IDA(minors);

#define to_udmabuf(device) container_of(device, struct udmabuf, dev)

static enum dma_data_direction direction_of(u32 value)
{
	return value == 1 ? DMA_TO_DEVICE : value == 2 ? DMA_FROM_DEVICE : DMA_BIDIRECTIONAL;
}

/* With more than bit 0, a command has offset (63:32), size (31:4) and direction (3:2) of its own. */
static int udmabuf_sync(struct udmabuf *buf, u64 command, bool for_device)
{
	u64 offset = buf->sync_offset;
	u64 size = buf->sync_size;
	u32 direction = buf->sync_direction;

	if (command & ~1ULL) {
		offset = command >> 32;
		size = command & 0xfffffff0;
		direction = command >> 2 & 3;
	}
	if (!command)
		return 0;
	if (offset > buf->size || size > buf->size - offset)
		return -EINVAL;
	if (for_device)
		dma_sync_single_for_device(buf->parent, buf->bus + offset, size, direction_of(direction));
	else
		dma_sync_single_for_cpu(buf->parent, buf->bus + offset, size, direction_of(direction));
	buf->sync_owner = for_device;
	return 0;
}

#define SHOW(name, format, value)                                                                  \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *text)  \
	{                                                                                          \
		struct udmabuf *buf = to_udmabuf(dev);                                             \
		return sysfs_emit(text, format "\n", value);                                       \
	}

#define STORE(name, limit)                                                                         \
	static ssize_t name##_store(struct device *dev, struct device_attribute *attr,             \
				    const char *text, size_t count)                                \
	{                                                                                          \
		struct udmabuf *buf = to_udmabuf(dev);                                             \
		u64 value;                                                                         \
		int ret = kstrtou64(text, 0, &value);                                              \
		if (ret)                                                                           \
			return ret;                                                                \
		if (value > (limit))                                                               \
			return -EINVAL;                                                            \
		mutex_lock(&buf->lock);                                                            \
		buf->name = value;                                                                 \
		mutex_unlock(&buf->lock);                                                          \
		return count;                                                                      \
	}                                                                                          \
	static DEVICE_ATTR_RW(name)

#define SYNC(name, for_device)                                                                     \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *text)  \
	{                                                                                          \
		return sysfs_emit(text, "0\n"); /* a command is done when its write returns */      \
	}                                                                                          \
	static ssize_t name##_store(struct device *dev, struct device_attribute *attr,             \
				    const char *text, size_t count)                                \
	{                                                                                          \
		struct udmabuf *buf = to_udmabuf(dev);                                             \
		u64 value;                                                                         \
		int ret = kstrtou64(text, 0, &value);                                              \
		if (ret)                                                                           \
			return ret;                                                                \
		mutex_lock(&buf->lock);                                                            \
		ret = udmabuf_sync(buf, value, for_device);                                        \
		mutex_unlock(&buf->lock);                                                          \
		return ret ? ret : count;                                                          \
	}                                                                                          \
	static DEVICE_ATTR_RW(name)

SHOW(phys_addr, "%pad", &buf->bus)
static DEVICE_ATTR_RO(phys_addr);
SHOW(size, "%zu", buf->size)
static DEVICE_ATTR_RO(size);
SHOW(sync_mode, "%u", buf->sync_mode)
STORE(sync_mode, 7);
SHOW(sync_offset, "0x%llx", buf->sync_offset)
STORE(sync_offset, U64_MAX);
SHOW(sync_size, "%llu", buf->sync_size)
STORE(sync_size, SIZE_MAX);
SHOW(sync_direction, "%u", buf->sync_direction)
STORE(sync_direction, 2);
SHOW(sync_owner, "%d", buf->sync_owner)
static DEVICE_ATTR_RO(sync_owner);
SYNC(sync_for_cpu, false);
SYNC(sync_for_device, true);
SHOW(dma_coherent, "%d", dev_is_dma_coherent(buf->parent))
static DEVICE_ATTR_RO(dma_coherent);

static struct attribute *udmabuf_attrs[] = {
	&dev_attr_phys_addr.attr,    &dev_attr_size.attr,	     &dev_attr_sync_mode.attr,
	&dev_attr_sync_offset.attr,  &dev_attr_sync_size.attr,	     &dev_attr_sync_direction.attr,
	&dev_attr_sync_owner.attr,   &dev_attr_sync_for_cpu.attr,    &dev_attr_sync_for_device.attr,
	&dev_attr_dma_coherent.attr, NULL,
};
ATTRIBUTE_GROUPS(udmabuf);

static vm_fault_t udmabuf_fault(struct vm_fault *vmf)
{
	struct udmabuf *buf = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&buf->lock);
	if (buf->alive && vmf->pgoff < buf->size >> PAGE_SHIFT)
		ret = vmf_insert_pfn(vmf->vma, vmf->address, buf->pfn + vmf->pgoff);
	mutex_unlock(&buf->lock);
	return ret;
}

static const struct vm_operations_struct udmabuf_vm_ops = { .fault = udmabuf_fault };

static int udmabuf_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct udmabuf *buf = file->private_data;
	unsigned long pages = buf->size >> PAGE_SHIFT;
	u32 mode = buf->sync_mode;

	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags |= VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
#else
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
#endif
	if (mode > MODE_ALWAYS || file->f_flags & O_SYNC) {
		switch (mode % MODE_ALWAYS) {
		case MODE_NONCACHED:
			vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
			break;
		case MODE_WRITECOMBINE:
			vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
			break;
		case MODE_COHERENT:
			vma->vm_page_prot = pgprot_dmacoherent(vma->vm_page_prot);
			break;
		}
	}
	vma->vm_private_data = buf;
	vma->vm_ops = &udmabuf_vm_ops;
	return 0;
}

static int udmabuf_open(struct inode *inode, struct file *file)
{
	struct udmabuf *buf = container_of(inode->i_cdev, struct udmabuf, cdev);
	int ret = 0;

	mutex_lock(&buf->lock);
	if (!buf->alive) {
		ret = -ENODEV;
	} else {
		if (!buf->inode) {
			ihold(inode);
			buf->inode = inode;
		}
		file->f_mapping = buf->inode->i_mapping;
		file->private_data = buf;
	}
	mutex_unlock(&buf->lock);
	return ret;
}

static ssize_t udmabuf_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	struct udmabuf *buf = file->private_data;
	ssize_t ret = -ENODEV;

	mutex_lock(&buf->io);
	if (buf->alive)
		ret = simple_read_from_buffer(to, count, at, buf->memory, buf->size);
	mutex_unlock(&buf->io);
	return ret;
}

static ssize_t udmabuf_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	struct udmabuf *buf = file->private_data;
	ssize_t ret = -ENODEV;

	mutex_lock(&buf->io);
	if (buf->alive)
		ret = simple_write_to_buffer(buf->memory, buf->size, at, from, count);
	mutex_unlock(&buf->io);
	return ret;
}

static loff_t udmabuf_llseek(struct file *file, loff_t offset, int whence)
{
	struct udmabuf *buf = file->private_data;

	return fixed_size_llseek(file, offset, whence, buf->size);
}

static const struct file_operations udmabuf_fops = {
	.owner = THIS_MODULE,
	.open = udmabuf_open,
	.read = udmabuf_read,
	.write = udmabuf_write,
	.llseek = udmabuf_llseek,
	.mmap = udmabuf_mmap,
};

static void udmabuf_release(struct device *dev)
{
	struct udmabuf *buf = to_udmabuf(dev);

	if (buf->inode)
		iput(buf->inode);
	ida_free(&minors, MINOR(dev->devt));
	mutex_destroy(&buf->lock);
	mutex_destroy(&buf->io);
	kfree(buf);
}

static int udmabuf_settings(struct udmabuf *buf, struct device_node *node, u32 *bits)
{
	u64 size;

	/* Addresses as numbers of one or two cells, as the driver's documentation has them. */
	if (of_property_read_u64(node, "size", &size)) {
		u32 word;

		if (of_property_read_u32(node, "size", &word))
			return -EINVAL;
		size = word;
	}
	if (!size || size > SIZE_MAX - PAGE_SIZE)
		return -EINVAL;
	buf->size = size;
	buf->sync_size = size;
	buf->sync_mode = MODE_NONCACHED;
	of_property_read_u32(node, "sync-mode", &buf->sync_mode);
	of_property_read_u32(node, "sync-direction", &buf->sync_direction);
	*bits = 32;
	of_property_read_u32(node, "dma-mask", bits);
	return buf->sync_mode > 7 || buf->sync_direction > 2 || *bits < 1 || *bits > 64 ? -EINVAL : 0;
}

static int udmabuf_allocate(struct udmabuf *buf, u32 bits)
{
	struct sg_table table;
	int ret;

	ret = dma_set_mask_and_coherent(buf->parent, DMA_BIT_MASK(bits));
	if (ret)
		return ret;
	buf->memory = dma_alloc_coherent(buf->parent, PAGE_ALIGN(buf->size), &buf->bus, GFP_KERNEL);
	if (!buf->memory)
		return -ENOMEM;
	ret = dma_get_sgtable(buf->parent, &table, buf->memory, buf->bus, PAGE_ALIGN(buf->size));
	if (ret) {
		dma_free_coherent(buf->parent, PAGE_ALIGN(buf->size), buf->memory, buf->bus);
		return ret;
	}
	buf->pfn = page_to_pfn(sg_page(table.sgl));
	sg_free_table(&table);
	return 0;
}

static int udmabuf_probe(struct platform_device *pdev)
{
	struct device *parent = &pdev->dev;
	const char *name = NULL;
	struct udmabuf *buf;
	u32 bits;
	int ret;

	buf = kzalloc(sizeof(*buf), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	mutex_init(&buf->io);
	mutex_init(&buf->lock);
	buf->parent = parent;
	ret = ida_alloc_max(&minors, MINORS - 1, GFP_KERNEL);
	if (ret < 0) {
		kfree(buf);
		return ret;
	}
	device_initialize(&buf->dev); /* from here on put_device() frees */
	buf->dev.devt = MKDEV(MAJOR(first), ret);
	buf->dev.class = udmabuf_class;
	buf->dev.parent = parent;
	buf->dev.groups = udmabuf_groups;
	buf->dev.release = udmabuf_release;

	ret = udmabuf_settings(buf, parent->of_node, &bits);
	if (ret) {
		dev_err(parent, "size, sync-mode, sync-direction or dma-mask is missing or out of range\n");
		goto put;
	}
	of_property_read_string(parent->of_node, "device-name", &name);
	ret = name ? dev_set_name(&buf->dev, "%s", name) :
		     dev_set_name(&buf->dev, "udmabuf%d", MINOR(buf->dev.devt));
	if (ret)
		goto put;
	ret = of_reserved_mem_device_init(parent);
	if (ret && ret != -ENODEV) {
		dev_err(parent, "its memory-region can't be had\n");
		goto put;
	}
	ret = udmabuf_allocate(buf, bits);
	if (ret) {
		dev_err(parent, "no %zu contiguous bytes: %d\n", buf->size, ret);
		goto unreserve;
	}
	buf->alive = true;
	cdev_init(&buf->cdev, &udmabuf_fops);
	buf->cdev.owner = THIS_MODULE;
	ret = cdev_device_add(&buf->cdev, &buf->dev);
	if (ret)
		goto free;
	platform_set_drvdata(pdev, buf);
	return 0;

free:
	dma_free_coherent(parent, PAGE_ALIGN(buf->size), buf->memory, buf->bus);
unreserve:
	of_reserved_mem_device_release(parent);
put:
	put_device(&buf->dev);
	return ret;
}

static void udmabuf_unbind(struct platform_device *pdev)
{
	struct udmabuf *buf = platform_get_drvdata(pdev);

	cdev_device_del(&buf->cdev, &buf->dev);
	mutex_lock(&buf->io);
	mutex_lock(&buf->lock);
	buf->alive = false;
	mutex_unlock(&buf->lock);
	mutex_unlock(&buf->io);
	if (buf->inode)
		unmap_mapping_range(buf->inode->i_mapping, 0, 0, 1);
	dma_free_coherent(buf->parent, PAGE_ALIGN(buf->size), buf->memory, buf->bus);
	of_reserved_mem_device_release(buf->parent);
	put_device(&buf->dev);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
static int udmabuf_remove(struct platform_device *pdev)
{
	udmabuf_unbind(pdev);
	return 0;
}
#else
#define udmabuf_remove udmabuf_unbind
#endif

static const struct of_device_id udmabuf_match[] = {
	{ .compatible = "ikwzm,u-dma-buf" },
	{}
};
MODULE_DEVICE_TABLE(of, udmabuf_match);

static struct platform_driver udmabuf_driver = {
	.probe = udmabuf_probe,
	.remove = udmabuf_remove,
	.driver = {
		.name = "pynq_udmabuf",
		.of_match_table = udmabuf_match,
	},
};

static int __init udmabuf_init(void)
{
	int ret = alloc_chrdev_region(&first, 0, MINORS, "u-dma-buf");

	if (ret)
		return ret;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	udmabuf_class = class_create(THIS_MODULE, "u-dma-buf");
#else
	udmabuf_class = class_create("u-dma-buf");
#endif
	if (IS_ERR(udmabuf_class)) {
		ret = PTR_ERR(udmabuf_class);
		goto region;
	}
	ret = platform_driver_register(&udmabuf_driver);
	if (ret)
		goto class;
	return 0;

class:
	class_destroy(udmabuf_class);
region:
	unregister_chrdev_region(first, MINORS);
	return ret;
}
module_init(udmabuf_init);

static void __exit udmabuf_exit(void)
{
	platform_driver_unregister(&udmabuf_driver);
	class_destroy(udmabuf_class);
	unregister_chrdev_region(first, MINORS);
	ida_destroy(&minors);
}
module_exit(udmabuf_exit);

MODULE_DESCRIPTION("Contiguous buffers for ikwzm,u-dma-buf nodes");
MODULE_LICENSE("GPL");
