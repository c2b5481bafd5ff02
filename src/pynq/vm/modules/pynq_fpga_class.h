/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The class fpga_manager for kernels without the FPGA core, with the core's states, words and errors
 * (Documentation/ABI/testing/sysfs-class-fpga-manager). Included by pynq_fpga.c.
 */
#include <linux/device.h>
#include <linux/version.h>

static const char *const state_words[] = {
	[FPGA_MGR_STATE_UNKNOWN] = "unknown",
	[FPGA_MGR_STATE_FIRMWARE_REQ] = "firmware request",
	[FPGA_MGR_STATE_FIRMWARE_REQ_ERR] = "firmware request error",
	[FPGA_MGR_STATE_WRITE_INIT] = "write init",
	[FPGA_MGR_STATE_WRITE_INIT_ERR] = "write init error",
	[FPGA_MGR_STATE_WRITE] = "write",
	[FPGA_MGR_STATE_WRITE_ERR] = "write error",
	[FPGA_MGR_STATE_WRITE_COMPLETE] = "write complete",
	[FPGA_MGR_STATE_WRITE_COMPLETE_ERR] = "write complete error",
	[FPGA_MGR_STATE_OPERATING] = "operating",
};

static struct class *fpga_class;

static struct pynq_fpga *fpga_of(struct device *dev)
{
	return container_of(dev, struct pynq_fpga, dev);
}

static int load_steps(struct device *dev, struct pynq_fpga *fpga, const char *name)
{
	const struct firmware *image;
	int ret;

	fpga->state = FPGA_MGR_STATE_FIRMWARE_REQ;
	ret = request_firmware(&image, name, dev);
	if (ret) {
		fpga->state = FPGA_MGR_STATE_FIRMWARE_REQ_ERR;
		dev_err(dev, "the image %s can't be had: %d\n", name, ret);
		return ret;
	}
	fpga->state = FPGA_MGR_STATE_WRITE_INIT;
	ret = port_begin(fpga, READ_ONCE(fpga->flags));
	if (ret) {
		fpga->state = FPGA_MGR_STATE_WRITE_INIT_ERR;
		goto out;
	}
	fpga->state = FPGA_MGR_STATE_WRITE;
	ret = port_write(fpga, image->data, image->size);
	if (ret) {
		fpga->state = FPGA_MGR_STATE_WRITE_ERR;
		goto out;
	}
	fpga->state = FPGA_MGR_STATE_WRITE_COMPLETE;
	ret = port_complete(fpga);
	fpga->state = ret ? FPGA_MGR_STATE_WRITE_COMPLETE_ERR : FPGA_MGR_STATE_OPERATING;
out:
	release_firmware(image);
	return ret;
}

static int fpga_load(struct device *dev, struct pynq_fpga *fpga, const char *name)
{
	int ret;

	if (!mutex_trylock(&fpga->loading))
		return -EBUSY;
	ret = load_steps(dev, fpga, name);
	mutex_unlock(&fpga->loading);
	return ret;
}

static ssize_t name_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, MANAGER "\n");
}
static DEVICE_ATTR_RO(name);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%s\n", state_words[READ_ONCE(fpga_of(dev)->state)]);
}
static DEVICE_ATTR_RO(state);

static ssize_t status_show(struct device *dev, struct device_attribute *attr, char *text)
{
	u64 errors = fpga_of(dev)->errors;
	int length = 0;

	if (errors & FPGA_MGR_STATUS_OPERATION_ERR)
		length += sysfs_emit_at(text, length, "reconfig operation error\n");
	if (errors & FPGA_MGR_STATUS_INCOMPATIBLE_IMAGE_ERR)
		length += sysfs_emit_at(text, length, "reconfig incompatible image\n");
	return length;
}
static DEVICE_ATTR_RO(status);

static struct attribute *fpga_core_attrs[] = {
	&dev_attr_name.attr,
	&dev_attr_state.attr,
	&dev_attr_status.attr,
	NULL,
};
static const struct attribute_group fpga_core_group = { .attrs = fpga_core_attrs };

static void fpga_release(struct device *dev)
{
	kfree(fpga_of(dev));
}

static struct pynq_fpga *fpga_allocate(struct device *parent)
{
	return kzalloc(sizeof(struct pynq_fpga), GFP_KERNEL);
}

static void fpga_delete(void *fpga)
{
	device_unregister(&((struct pynq_fpga *)fpga)->dev);
}

static int fpga_add(struct pynq_fpga *fpga)
{
	struct device *dev = &fpga->dev;
	int ret;

	mutex_init(&fpga->loading);
	fpga->state = readl(fpga->port + PORT_STATUS) == STATUS_OPERATING ? FPGA_MGR_STATE_OPERATING :
									     FPGA_MGR_STATE_UNKNOWN;
	device_initialize(dev);
	dev->class = fpga_class;
	dev->parent = fpga->parent;
	dev->of_node = fpga->parent->of_node;
	dev->groups = fpga_groups;
	dev->release = fpga_release;
	ret = dev_set_name(dev, "fpga0");
	if (!ret)
		ret = device_add(dev);
	if (ret) {
		put_device(dev);
		return ret;
	}
	return devm_add_action_or_reset(fpga->parent, fpga_delete, fpga);
}

static int fpga_class_init(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	fpga_class = class_create(THIS_MODULE, "fpga_manager");
#else
	fpga_class = class_create("fpga_manager");
#endif
	return PTR_ERR_OR_ZERO(fpga_class);
}

static void fpga_class_exit(void)
{
	class_destroy(fpga_class);
}
