// SPDX-License-Identifier: GPL-2.0
/*
 * Device-tree overlays through configfs, as AMD's and Raspberry Pi's kernels have them:
 *
 *   mkdir /sys/kernel/config/device-tree/overlays/NAME
 *   echo pl.dtbo > NAME/path     (a file below /lib/firmware)   or   cat pl.dtbo > NAME/dtbo
 *   cat NAME/status              "applied" or "unapplied"
 *   rmdir NAME
 *
 * Writing 1 or 0 to status applies what was written to dtbo, or takes it away, as dtbocfg does; unlike the
 * write to dtbo, which ends when the file is closed, it gives the error.
 */
#include <linux/configfs.h>
#include <linux/firmware.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/version.h>

struct overlay {
	struct config_item item;
	struct mutex lock; /* of all below */
	char *path;
	void *blob;
	size_t size;
	int id; /* of the change set, 0 while it isn't applied */
};

static struct overlay *overlay_of(struct config_item *item)
{
	return container_of(item, struct overlay, item);
}

static int overlay_apply(struct overlay *overlay, const void *blob, size_t size)
{
	int ret;

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	ret = of_overlay_fdt_apply(blob, size, &overlay->id);
#else
	ret = of_overlay_fdt_apply(blob, size, &overlay->id, NULL);
#endif
	/* The kernel leaves an id for what it applied in part, to be removed. */
	if (ret && overlay->id)
		of_overlay_remove(&overlay->id);
	if (ret)
		pr_err("pynq_overlay: %s can't be applied: %d\n", config_item_name(&overlay->item), ret);
	return ret;
}

static ssize_t overlay_path_show(struct config_item *item, char *text)
{
	struct overlay *overlay = overlay_of(item);
	int length;

	mutex_lock(&overlay->lock);
	length = sysfs_emit(text, "%s\n", overlay->path ? overlay->path : "");
	mutex_unlock(&overlay->lock);
	return length;
}

static ssize_t overlay_path_store(struct config_item *item, const char *text, size_t count)
{
	struct overlay *overlay = overlay_of(item);
	const struct firmware *file;
	char *path;
	int ret;

	path = kstrndup(text, count, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	strim(path);
	mutex_lock(&overlay->lock);
	ret = overlay->id ? -EBUSY : request_firmware(&file, path, NULL);
	if (ret)
		goto out;
	ret = overlay_apply(overlay, file->data, file->size);
	release_firmware(file);
	if (!ret)
		swap(overlay->path, path);
out:
	mutex_unlock(&overlay->lock);
	kfree(path);
	return ret ? ret : count;
}

static ssize_t overlay_status_show(struct config_item *item, char *text)
{
	return sysfs_emit(text, "%s\n", READ_ONCE(overlay_of(item)->id) ? "applied" : "unapplied");
}

static ssize_t overlay_status_store(struct config_item *item, const char *text, size_t count)
{
	struct overlay *overlay = overlay_of(item);
	bool wanted;
	int ret;

	ret = kstrtobool(text, &wanted);
	if (ret)
		return ret;
	mutex_lock(&overlay->lock);
	if (wanted && !overlay->id)
		ret = overlay->blob ? overlay_apply(overlay, overlay->blob, overlay->size) : -EINVAL;
	else if (!wanted && overlay->id)
		ret = of_overlay_remove(&overlay->id);
	mutex_unlock(&overlay->lock);
	return ret ? ret : count;
}

static ssize_t overlay_dtbo_read(struct config_item *item, void *data, size_t limit)
{
	struct overlay *overlay = overlay_of(item);
	ssize_t size;

	mutex_lock(&overlay->lock);
	size = overlay->size;
	if (data && size <= limit)
		memcpy(data, overlay->blob, size);
	mutex_unlock(&overlay->lock);
	return size;
}

/* Called when the file is closed; configfs drops what it returns. */
static ssize_t overlay_dtbo_write(struct config_item *item, const void *data, size_t size)
{
	struct overlay *overlay = overlay_of(item);
	void *blob;
	int ret;

	blob = kmemdup(data, size, GFP_KERNEL);
	if (!blob)
		return -ENOMEM;
	mutex_lock(&overlay->lock);
	if (overlay->id) {
		ret = -EBUSY;
	} else {
		swap(overlay->blob, blob);
		overlay->size = size;
		ret = overlay_apply(overlay, overlay->blob, size);
	}
	mutex_unlock(&overlay->lock);
	kfree(blob);
	return ret ? ret : size;
}

CONFIGFS_ATTR(overlay_, path);
CONFIGFS_ATTR(overlay_, status);
CONFIGFS_BIN_ATTR(overlay_, dtbo, NULL, SZ_1M);

static struct configfs_attribute *overlay_attrs[] = {
	&overlay_attr_path,
	&overlay_attr_status,
	NULL,
};

static struct configfs_bin_attribute *overlay_bin_attrs[] = {
	&overlay_attr_dtbo,
	NULL,
};

static void overlay_release(struct config_item *item)
{
	struct overlay *overlay = overlay_of(item);

	if (overlay->id && of_overlay_remove(&overlay->id))
		pr_err("pynq_overlay: %s stays applied: one above it has to go first\n", config_item_name(item));
	mutex_destroy(&overlay->lock);
	kfree(overlay->path);
	kfree(overlay->blob);
	kfree(overlay);
}

static struct configfs_item_operations overlay_ops = { .release = overlay_release };

static const struct config_item_type overlay_type = {
	.ct_item_ops = &overlay_ops,
	.ct_attrs = overlay_attrs,
	.ct_bin_attrs = overlay_bin_attrs,
	.ct_owner = THIS_MODULE,
};

static struct config_item *overlays_make(struct config_group *group, const char *name)
{
	struct overlay *overlay;

	overlay = kzalloc(sizeof(*overlay), GFP_KERNEL);
	if (!overlay)
		return ERR_PTR(-ENOMEM);
	mutex_init(&overlay->lock);
	config_item_init_type_name(&overlay->item, name, &overlay_type);
	return &overlay->item;
}

static struct configfs_group_operations overlays_ops = { .make_item = overlays_make };

static const struct config_item_type overlays_type = {
	.ct_group_ops = &overlays_ops,
	.ct_owner = THIS_MODULE,
};

static const struct config_item_type tree_type = { .ct_owner = THIS_MODULE };

static struct config_group overlays_group;
static struct configfs_subsystem tree = {
	.su_group = { .cg_item = { .ci_namebuf = "device-tree", .ci_type = &tree_type } },
	.su_mutex = __MUTEX_INITIALIZER(tree.su_mutex),
};

static int __init overlay_init(void)
{
	config_group_init(&tree.su_group);
	config_group_init_type_name(&overlays_group, "overlays", &overlays_type);
	configfs_add_default_group(&overlays_group, &tree.su_group);
	return configfs_register_subsystem(&tree);
}
module_init(overlay_init);

static void __exit overlay_exit(void)
{
	configfs_unregister_subsystem(&tree);
}
module_exit(overlay_exit);

MODULE_DESCRIPTION("Device-tree overlays through configfs");
MODULE_LICENSE("GPL");
